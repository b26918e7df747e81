"""The one way out: a request takes our own connection, or httpx2 if it goes through a proxy or the caller's own client."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Literal, Protocol, Self

import httpx2

from hop.connections import KEEP_ALIVE_S, Client
from hop.library import LibraryClient, library_client, usable_proxy
from hop.proxies import Proxies
from hop.requests import address
from hop.response import ConnectFailed, Response

Transport = Literal["auto", "direct", "httpx2"]


@dataclass(frozen=True, slots=True)
class Way:
    """How a request goes out. `ca_file` names certificate authorities to trust besides the machine's own.

    `auto` takes our own connection unless there is a proxy or a client was handed in. `direct` takes it whatever the environment says.
    `httpx2` never takes it.
    """

    transport: Transport = "auto"
    ca_file: str | None = None


DEFAULT_WAY = Way()


def unusable_proxy(url: str, way: Way = DEFAULT_WAY, environ: Mapping[str, str] = os.environ) -> tuple[str, str] | None:
    """If requests to this address would go through a proxy that cannot be used: the variable that names it, and half a sentence.

    A proxy that the address does not need is not looked at. Raises ValueError for an address that is none.
    """
    proxies, (scheme, host, port) = Proxies(environ), address(url)[0]
    proxy = None if way.transport == "direct" else proxies.choose(scheme, host, port)
    try:
        if proxy is not None:
            usable_proxy(proxy)
    except ConnectFailed as error:
        return proxies.variable(scheme), error.reason
    return None


class _Lane(Protocol):
    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"", *, patience_s: float | None = None
    ) -> Response: ...

    async def aclose(self) -> None: ...


class Door:
    """Connections to any number of servers. A door belongs to one event loop. `aclose`, or leaving the context, closes them.

    Proxies are looked up in `environ`, once. A client that is handed in carries every request that is not `direct`, with its own
    certificates and proxies. Its owner closes it.
    """

    def __init__(
        self,
        *,
        keep_alive_s: float = KEEP_ALIVE_S,
        http_client: httpx2.AsyncClient | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._keep_alive_s = keep_alive_s
        self._proxies = Proxies(environ)
        self._handed_in = None if http_client is None else LibraryClient(http_client)
        self._direct: dict[str | None, Client] = {}
        self._library: dict[tuple[str | None, str | None], LibraryClient] = {}
        self._lane = lru_cache(maxsize=256)(self._choose)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        patience_s: float | None = None,
        way: Way = DEFAULT_WAY,
    ) -> Response:
        """Sends a request and returns once the response's head is here. Raises ExchangeFailed, and ValueError for a malformed request.

        `patience_s` bounds the time until the head. Cancelling closes the connection.
        """
        return await self._lane(url, way).request(method, url, headers, body, patience_s=patience_s)

    async def aclose(self) -> None:
        """Closes every connection of its own, whatever it is doing, and ends the exchanges of a client that was handed in."""
        lanes: list[_Lane] = [*self._direct.values(), *self._library.values()]
        if self._handed_in is not None:
            lanes.append(self._handed_in)
        for lane in lanes:
            await lane.aclose()

    def _choose(self, url: str, way: Way) -> _Lane:
        if way.transport == "direct":
            return self._direct_to(way.ca_file)
        if self._handed_in is not None:
            return self._handed_in
        proxy = self._proxies.choose(*address(url)[0])
        if proxy is None and way.transport == "auto":
            return self._direct_to(way.ca_file)
        key = (proxy, way.ca_file)
        if key not in self._library:
            self._library[key] = library_client(proxy=proxy, ca_file=way.ca_file, keep_alive_s=self._keep_alive_s)
        return self._library[key]

    def _direct_to(self, ca_file: str | None) -> Client:
        if ca_file not in self._direct:
            self._direct[ca_file] = Client(keep_alive_s=self._keep_alive_s, ca_file=ca_file)
        return self._direct[ca_file]
