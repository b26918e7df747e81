"""The same requests through httpx2, for what our own connection does not do: proxies, SOCKS, and a client that the caller hands in.

Strategy. Each exchange has one task. It sends the request, hands over the response's head, and passes the body to a `Response`, piece by
piece as httpx2 reads it. Closing or cancelling ends that task, and httpx2 then closes the socket. The task waits while its `Response` holds
much that nobody has read. Nothing else of httpx2 is used: no redirect, cookie, content coding or timeout of its own.

httpx2 repeats nothing if the peer closes a kept connection as a request is written to it. So the first read of each further exchange on a
connection is watched, and the request is sent once more if that read brings the end (`hop.connections` says why it may be).
"""

from __future__ import annotations

import asyncio
import importlib.util
import weakref
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import httpx2

from hop import keepalive
from hop.connections import CONNECT_TIMEOUT_S, KEEP_ALIVE_S
from hop.http1 import is_unreadable
from hop.reasons import no_connection
from hop.requests import address, request_bytes
from hop.response import (
    CLOSE_ON_ITS_WAY_S,
    ConnectFailed,
    ConnectionLost,
    ExchangeFailed,
    PeerSilent,
    PeerUnintelligible,
    Response,
    Unanswered,
)
from hop.tls import client_context

_NO_TIMEOUT = httpx2.Timeout(None, connect=CONNECT_TIMEOUT_S)
_TOO_EARLY = ("without sending", "disconnected", "StreamReset", "ConnectionTerminated")
"""h11 and h2 raise the same error for a malformed answer and for one that ends too early. Only its words tell them apart."""
_NO_PASSWORD = "wants another user name and password than it was given"  # noqa: S105  # a sentence's end


def library_client(*, proxy: str | None = None, ca_file: str | None = None, keep_alive_s: float = KEEP_ALIVE_S) -> LibraryClient:
    """A client of our own, through `proxy` if there is one. Raises ConnectFailed for an unusable proxy, ValueError for a bad `ca_file`.

    It speaks HTTP/1.1. Over HTTP/2, httpx2 does not tell the server that a stream was given up, so the model would go on writing.
    """
    tls, way = client_context(ca_file), None if proxy is None else usable_proxy(proxy)

    def client(kept: int | None) -> httpx2.AsyncClient:
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=kept, keepalive_expiry=keep_alive_s)
        transport = httpx2.AsyncHTTPTransport(verify=tls, trust_env=False, limits=limits, proxy=way, socket_options=keepalive.OPTIONS)
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        return httpx2.AsyncClient(transport=transport, trust_env=False, cookies=no_cookies)

    return LibraryClient(client(None), fresh=client(0), proxy=None if proxy is None else _place(proxy), close_client=True)


class LibraryClient:
    """The interface of `hop.connections.Client` over an httpx2 client. `proxy` is the proxy's host and port, for messages.

    `fresh` is a client that makes a new connection for each request. Without it, a request that has to be sent again goes through `client`.
    """

    def __init__(
        self, client: httpx2.AsyncClient, *, fresh: httpx2.AsyncClient | None = None, proxy: str | None = None, close_client: bool = False
    ) -> None:
        self._client = client
        self._fresh = client if fresh is None else fresh
        self._proxy = proxy
        self._close_client = close_client
        self._running: set[asyncio.Task[None]] = set()

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"", *, patience_s: float | None = None
    ) -> Response:
        """Sends a request and returns once the response's head is here. Raises ExchangeFailed, and ValueError for a malformed request.

        `patience_s` bounds the time until the head. Cancelling closes the connection.
        """
        (_, host, port), _, _ = address(url)
        head: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._exchange(self._request(method, url, headers, body), head, f"{host}:{port}"))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            async with asyncio.timeout(patience_s):
                return await head
        except TimeoutError:
            task.cancel()
            raise PeerSilent(f"nothing came within {patience_s:g} s") from None
        except BaseException:
            task.cancel()
            raise

    def _request(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> httpx2.Request:
        (scheme, _, _), netloc, target = address(url)
        request_bytes(method, target, headers, body)  # what one lane refuses, the other must not send
        given = httpx2.Headers(headers)
        given.setdefault("Accept-Encoding", "identity")
        try:
            where = httpx2.URL(f"{scheme}://{netloc}{target}")
        except httpx2.InvalidURL:
            raise ValueError("its host is not a name or an address") from None
        request = self._client.build_request(method, where, headers=given, content=body or None, timeout=_NO_TIMEOUT)
        if "cookie" not in given:
            request.headers.pop("cookie", None)  # the client keeps cookies from earlier answers
        return request

    async def _exchange(self, request: httpx2.Request, head: asyncio.Future[Response], peer: str) -> None:
        response: Response | None = None
        error: Exception | None = ConnectionLost("the connection was closed")
        try:
            answer = await self._sent(request)
            try:
                response = self._response(answer)
                head.set_result(response)
                async for piece in answer.aiter_raw():
                    response.arrived(piece)
                    await response.room()
                error = None
            finally:
                await answer.aclose()
        except ExchangeFailed as refused:
            error = refused
        except httpx2.TransportError as fault:
            error = self._named(fault, peer)
        except Exception as bug:
            error = bug  # raised in the task that waits
        finally:
            if response is not None:
                response.finished(error)
            elif not head.done():
                head.set_exception(error or ConnectionLost("the connection was closed"))

    async def _sent(self, request: httpx2.Request) -> httpx2.Response:
        stream: Any = None

        async def trace(event: str, info: Mapping[str, Any]) -> None:
            if event == "http11.receive_response_body.complete" and stream is not None:
                _watch(stream)  # nobody else can have the connection yet

        request.extensions["trace"] = trace
        try:
            answer = await self._client.send(request, stream=True, follow_redirects=False)
        except Unanswered:
            answer = await self._fresh.send(request, stream=True, follow_redirects=False)
            answer.extensions["repeated"] = True
        stream = answer.extensions.get("network_stream")
        return answer

    def _response(self, answer: httpx2.Response) -> Response:
        """The answer as a `Response`. Raises ExchangeFailed if it is one that nobody asked for."""
        if answer.status_code == 407 and self._proxy is not None:
            raise ConnectFailed(f"the proxy {self._proxy} {_NO_PASSWORD}")
        answer.headers.encoding = "latin-1"
        headers = dict(answer.headers)
        if answer.status_code == 101 or is_unreadable(answer.status_code, headers):
            raise PeerUnintelligible("the response is compressed, or another protocol, which nobody asked for")
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # a coroutine runs in one

        def close() -> None:
            task.cancel()

        response = Response(answer.status_code, headers, close)
        response.repeated = "repeated" in answer.extensions
        return response

    def _named(self, fault: httpx2.TransportError, peer: str) -> ExchangeFailed:
        """The same fault as an error of `hop.response`."""
        match fault:
            case httpx2.ProxyError():
                said = str(fault)
                refusal = f"answers {said[:3]} to a connection to {peer}" if said[:3].isdigit() else f"makes no connection to {peer}"
                return ConnectFailed(f"the proxy {self._proxy} {_NO_PASSWORD if '407' in said or 'password' in said else refusal}")
            case httpx2.ConnectError() | httpx2.ConnectTimeout():
                return ConnectFailed(no_connection(fault, peer, proxy=self._proxy))
            case httpx2.RemoteProtocolError() if not any(words in str(fault) for words in _TOO_EARLY):
                return PeerUnintelligible("the peer's answer is not HTTP")
            case _:
                return ConnectionLost("the connection ended before the response did")

    async def aclose(self) -> None:
        """Ends every exchange. Also closes the client's connections if the client is our own."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if self._close_client:
            await self._client.aclose()
            await self._fresh.aclose()


def _watch(stream: Any) -> None:
    """Makes the next read of a kept connection raise Unanswered if it brings the end and not a byte. Reads after that are as before."""
    known = weakref.ref(stream)  # the function is the stream's own: a reference would be a cycle

    async def read(max_bytes: int, timeout: float | None = None) -> bytes:
        stream: Any = known()
        del stream.read
        loop = asyncio.get_running_loop()
        soon = loop.time() + CLOSE_ON_ITS_WAY_S
        try:
            data: bytes = await stream.read(max_bytes, timeout=timeout)
        except Exception as reset:
            if loop.time() < soon:
                raise Unanswered(type(reset).__name__) from None
            raise
        if not data and loop.time() < soon:
            raise Unanswered("the connection was closed as the request was written")
        return data

    stream.read = read


def usable_proxy(url: str) -> httpx2.Proxy:
    """The proxy at this address. Raises ConnectFailed for one that cannot be used."""
    try:
        parts = urlsplit(url)
        if parts.scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
            raise ConnectFailed("a SOCKS proxy needs one more package: pip install 'streaming-chat[socks]'")
        address(f"http://{parts.netloc.rpartition('@')[2]}")  # host and port keep the same rules
        if url.isprintable():
            return httpx2.Proxy(url)
    except (ValueError, httpx2.InvalidURL):
        pass  # not the address of a proxy
    raise ConnectFailed("the proxy that the environment names is not the address of one: http://, https://, socks5://")


def _place(url: str) -> str:
    """Host and port of a proxy, without its user and password."""
    parsed = httpx2.URL(url)
    return f"{parsed.host}:{parsed.port or {'https': 443, 'socks5': 1080, 'socks5h': 1080}.get(parsed.scheme, 80)}"
