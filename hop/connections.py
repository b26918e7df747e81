"""How a chunk gets into a hop: a request to the hop above, and its response as it arrives.

Strategy. Nothing stands between the socket and the consumer of the bytes. `Response.follow` hands each piece of the body to a function in
the same turn of the event loop in which it arrived, so no task has to wake up first. A whole hop is then one call stack, from
`data_received` through the log to the reader's `send`. httpx2 does what this connection does not, above all proxies (`hop.library`).
`hop.door` chooses between the two.

One connection carries one exchange at a time. After an exchange that ended in order, it waits for the next one. Closing means closing the
socket at once. `hop.response` draws what can go wrong.

A peer may close a connection that it has kept while a request is on its way to it. The request is then sent once more, on a new
connection: one that was kept, and closed at once and without a byte in answer, was closed because it was idle. This holds for POST too.
RFC 9112 (9.3.1) lets a client repeat a request that is not idempotent if it can tell that the first was never applied, and a peer that
closes an idle connection has not read it. Nothing else is repeated: neither on a connection that was new, nor after a byte of an answer,
nor twice.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property, lru_cache
from typing import cast

from hop import keepalive
from hop.http1 import BadResponse, CutResponse, ResponseParser
from hop.reasons import no_connection
from hop.requests import Origin, address, request_bytes
from hop.response import CLOSE_ON_ITS_WAY_S, ConnectFailed, ConnectionLost, PeerSilent, PeerUnintelligible, Response, Unanswered
from hop.tls import client_context

CONNECT_TIMEOUT_S = 10.0
KEEP_ALIVE_S = 15.0


class Client:
    """Connections to any number of servers. It belongs to one event loop; `aclose` ends it.

    `keep_alive_s` is how long an idle connection waits for its next request. It must be shorter than the server's own limit, or requests
    would be sent into connections that the server is closing. `ca_file` names certificate authorities to trust besides the machine's own.
    """

    def __init__(self, *, keep_alive_s: float = KEEP_ALIVE_S, ca_file: str | None = None) -> None:
        self._keep_alive_s = keep_alive_s
        self._ca_file = ca_file
        self._idle: dict[Origin, list[_Connection]] = {}
        self._open: set[_Connection] = set()
        self._address = lru_cache(maxsize=256)(address)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return client_context(self._ca_file)

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"", *, patience_s: float | None = None
    ) -> Response:
        """Sends a request and returns once the response's head is here. Raises ExchangeFailed, and ValueError for a malformed request.

        `patience_s` bounds the time until the head. Cancelling closes the connection.
        """
        origin, host, target = self._address(url)
        message = request_bytes(method, target, {"Host": host} | dict(headers), body)
        if patience_s is None:
            return await self._exchange(origin, message)
        try:
            async with asyncio.timeout(patience_s):
                return await self._exchange(origin, message)
        except TimeoutError:
            raise PeerSilent(f"nothing came within {patience_s:g} s") from None

    async def _exchange(self, origin: Origin, message: bytes) -> Response:
        kept = self._waiting(origin)
        if kept is not None:
            with suppress(Unanswered):
                return await kept.exchange(message)
        response = await (await self._connect(origin)).exchange(message)
        response.repeated = kept is not None
        return response

    def _waiting(self, origin: Origin) -> _Connection | None:
        """The free connection that was used last, so that the others can time out."""
        free = self._idle.get(origin)
        while free:
            connection = free.pop()
            if connection.wake():
                return connection
        return None

    async def _connect(self, origin: Origin) -> _Connection:
        scheme, host, port = origin
        tls = self._tls if scheme == "https" else None
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, protocol = await loop.create_connection(lambda: _Connection(self, origin), host, port, ssl=tls)
        except (OSError, TimeoutError) as error:
            raise ConnectFailed(no_connection(error, f"{host}:{port}")) from None
        return protocol

    def _free(self, connection: _Connection) -> None:
        self._idle.setdefault(connection.origin, []).append(connection)
        connection.sleep(self._keep_alive_s)

    def _gone(self, connection: _Connection) -> None:
        self._open.discard(connection)
        free = self._idle.get(connection.origin)
        if free and connection in free:
            free.remove(connection)

    async def aclose(self) -> None:
        """Closes every connection, whatever it is doing."""
        for connection in list(self._open):
            connection.close()
        await asyncio.sleep(0)  # the loop closes the sockets in its next turn


class _Connection(asyncio.Protocol):
    """One connection, one exchange at a time."""

    __slots__ = ("_client", "_closed", "_head", "_kept", "_loop", "_response", "_sent_at", "_sleep", "_transport", "origin", "parser")

    def __init__(self, client: Client, origin: Origin) -> None:
        self.origin = origin
        self.parser = ResponseParser()
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._head: asyncio.Future[Response] | None = None
        self._response: Response | None = None
        self._sleep: asyncio.TimerHandle | None = None
        self._closed = False
        self._kept = False
        """Whether it has carried an exchange before."""
        self._sent_at = 0.0

    async def exchange(self, message: bytes) -> Response:
        """Sends a request and waits for the response's head. Closes the connection if the wait is given up."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionLost("the connection ended before the request")
        self.parser = ResponseParser()
        head: asyncio.Future[Response] = self._loop.create_future()
        self._head = head
        self._sent_at = self._loop.time()
        self._transport.write(message)
        try:
            return await head
        except BaseException:
            if self._head is head:  # otherwise the exchange is over, and another may have the connection already
                self.close()
            raise
        finally:
            if self._head is head:
                self._head = None
            del head  # it holds the error, whose traceback holds this frame: the cycle would wait for the collector

    def sleep(self, seconds: float) -> None:
        self._sleep = self._loop.call_later(seconds, self.close)

    def wake(self) -> bool:
        """Stops the idle timer. Returns whether the connection can be used."""
        if self._sleep is not None:
            self._sleep.cancel()
            self._sleep = None
        self._kept = True
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        self._closed = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        for option in keepalive.OPTIONS:
            transport.get_extra_info("socket").setsockopt(*option)
        self._client._open.add(self)

    def data_received(self, data: bytes) -> None:
        parser, response = self.parser, self._response
        try:
            if response is None and self._head is None:
                raise BadResponse("the peer speaks without being asked")
            body = parser.feed(data)
        except BadResponse as error:
            if error.body and response is not None:
                response.arrived(error.body)
            self._end(PeerUnintelligible(str(error)))
            self.close()
            return
        if response is None:
            if not parser.has_head:
                return
            response = self._response = Response(parser.status, parser.headers, self.close)
            if self._head is not None and not self._head.done():
                self._head.set_result(response)
        if body:
            response.arrived(body)
        if parser.complete:
            self._end(None)
            if parser.keep_alive and self._transport is not None and not self._transport.is_closing():
                self._client._free(self)
            else:
                self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._client._gone(self)
        if self._sleep is not None:
            self._sleep.cancel()
        if self._kept and not (self._closed or self.parser.begun) and self._loop.time() - self._sent_at < CLOSE_ON_ITS_WAY_S:
            self._end(Unanswered("the connection was closed as the request was written"))
            return
        try:
            self.parser.end()
        except CutResponse as error:
            self._end(ConnectionLost(str(error)))
        else:
            if exc is None and not self._closed:  # a body without a length ends when the peer closes, not when we do
                self._end(None)
            else:
                self._end(ConnectionLost("the connection was closed" if exc is None else type(exc).__name__))

    def _end(self, error: Exception | None) -> None:
        """Tells whoever is waiting for this exchange that it is over."""
        response, self._response = self._response, None
        head, self._head = self._head, None
        if response is not None:
            response.finished(error)
        elif head is not None and not head.done():
            head.set_exception(error or ConnectionLost("the connection ended before the response"))
