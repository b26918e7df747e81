"""Which proxy the environment names for an address: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in either case.

The rules are those of `urllib.request`. A lower-case name wins over an upper-case one, even with an empty value. HTTP_PROXY is ignored in a
CGI program, where a request's header could set it. As with httpx2, NO_PROXY may also hold networks (`10.0.0.0/8`), `*.example.com`, and `*`
among other entries. Requests to this machine never go through a proxy.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network


class Proxies:
    """The environment's proxies, as they were when this was made."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._variables = {scheme: _name(environ, f"{scheme}_proxy") for scheme in ("http", "https", "all")}
        if "REQUEST_METHOD" in environ:
            self._variables["http"] = "http_proxy"
        named = {scheme: environ.get(name, "").strip() for scheme, name in self._variables.items()}
        excepted = [entry.strip() for entry in environ.get(_name(environ, "no_proxy"), "").split(",")]
        self._by_scheme = {scheme: url if "://" in url else f"http://{url}" for scheme, url in named.items() if url}
        if "*" in excepted:
            self._by_scheme = {}
        self._names = [name.lower() for entry in excepted if (name := entry.removeprefix("*").lstrip("."))]
        self._networks = [network for entry in excepted if (network := _network(entry))]

    def choose(self, scheme: str, host: str, port: int) -> str | None:
        """The address of the proxy for this origin, with its user and password if it has them. None: no proxy."""
        proxy = self._by_scheme.get(scheme) or self._by_scheme.get("all")
        return None if proxy is None or self._direct(host, port) else proxy

    def variable(self, scheme: str) -> str:
        """The variable that names the proxy for this scheme."""
        return self._variables[scheme if scheme in self._by_scheme else "all"]

    def _direct(self, host: str, port: int) -> bool:
        if host == "localhost":
            return True
        try:
            address = ip_address(host)
        except ValueError:
            pass  # a name
        else:
            if address.is_loopback or any(address in network for network in self._networks):
                return True
        asked = (host, f"{host}:{port}")
        return any(given == name or given.endswith(f".{name}") for name in self._names for given in asked)


def _name(environ: Mapping[str, str], name: str) -> str:
    return name if name in environ else name.upper()


def _network(entry: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(entry, strict=False) if "/" in entry else None
    except ValueError:
        return None  # an entry that nobody can read is skipped, as curl does
