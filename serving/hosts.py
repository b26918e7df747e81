"""Which names a server answers to. A request under any other name is refused.

A hostile page can make its own name resolve to 127.0.0.1 (DNS rebinding) and then talk to a server there as to its own origin. But it
cannot make the browser send any other `Host` than that name.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
"""Always served: no page of another site can have one of these names."""

_REMEMBERED = 1024
_HEADER = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]*)?")
_NAME = re.compile(r"\*|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]")


class Hosts:
    """A set of names as `named` returns them. `*` means every name, `*.example.com` every name below `example.com`."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._any = "*" in self._names
        self._endings = tuple(name[1:] for name in self._names if name.startswith("*."))
        self._known: set[bytes | None] = set()

    def serve(self, host: bytes | None) -> bool:
        """Whether a request with this `Host` header (None: without one) is for us. Port and case do not count."""
        return host in self._known or self._learn(host)

    def _learn(self, host: bytes | None) -> bool:
        if not self._any:
            match = None if host is None else _HEADER.fullmatch(host.decode("latin-1").lower())
            if match is None or not (match[1] in self._names or match[1].endswith(self._endings)):
                return False
        if len(self._known) < _REMEMBERED:
            self._known.add(host)
        return True


ANY = Hosts("*")


def named(allowed: str | None) -> list[str]:
    """The names in a value of ALLOWED_HOSTS, in lower case, IPv6 addresses in brackets. Raises ValueError for anything else."""
    names = [_bracketed(name.strip().lower()) for name in (allowed or "").split(",") if name.strip()]
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a host name; it takes names without scheme and port, separated by commas")
    return names


def served(allowed: str | None, bound: str) -> Hosts:
    """The names of a server that binds this address: the loopback names, the address itself, and what ALLOWED_HOSTS adds."""
    own = [] if _is_wildcard(bound) else [_bracketed(bound.lower())]
    return Hosts([*LOOPBACK, *own, *named(allowed)])


def advice(allowed: str | None, bound: str) -> str | None:
    """A sentence for the operator of a server that can be reached under names it does not know, or None."""
    if named(allowed) or not _is_wildcard(bound):
        return None
    return (
        f"HOST is {bound} and ALLOWED_HOSTS is not set: only requests to {', '.join(LOOPBACK)} are answered. "
        "Set ALLOWED_HOSTS to the names and addresses by which clients call this machine, or to * for any."
    )


def reachable(bound: str) -> str:
    """The host for a URL by which this machine reaches a server that binds this address."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(bound, _bracketed(bound))  # noqa: S104  # compared, not bound


def _bracketed(name: str) -> str:
    bare = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    try:
        return f"[{ipaddress.IPv6Address(bare)}]"
    except ValueError:
        return name


def _is_wildcard(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_unspecified
    except ValueError:
        return False
