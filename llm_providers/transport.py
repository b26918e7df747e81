"""The one file that knows the HTTP client: a request goes out, bytes come in as they arrive, and its faults become ours.

Strategy. Reads return what the socket had, whatever its cut. Silence is bounded by one timer per response, which looks at the time of
the last read when it fires, instead of one timeout object per read. Closing means closing the socket, at once.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from llm_providers.errors import ProtocolViolation, ProviderError, ProviderTimeout, ProviderUnavailable, Truncated, for_status
from wire.edge import outgoing_headers

CONNECT_TIMEOUT_S = 10.0
DRAIN_S = 0.25


class Transport:
    """One pool of connections to all providers. Use as an async context manager, inside the event loop that uses it."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
            headers={"Accept-Encoding": "identity", "User-Agent": "streaming-chat"},
        )
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, url: str, *, headers: dict[str, str], body: bytes, first_byte_s: float, idle_s: float) -> Body:
        """Sends the request and returns once the headers of a 200 are here. Raises ProviderError for everything else.

        `first_byte_s` bounds the time to the first byte of the body, `idle_s` every silence after it.
        """
        if self._session is None:
            raise RuntimeError("the transport is not open")
        deadline = asyncio.get_running_loop().time() + first_byte_s
        try:
            async with asyncio.timeout_at(deadline):
                sent = outgoing_headers() | headers | {"Content-Type": "application/json"}
                response = await self._session.post(url, data=body, headers=sent, allow_redirects=False)
        except (TimeoutError, aiohttp.ServerTimeoutError):
            raise ProviderTimeout(f"The model provider sent nothing within {first_byte_s:g} s.") from None
        except (aiohttp.ClientConnectionError, OSError):
            raise ProviderUnavailable("The model provider cannot be reached.", retry_after=1.0) from None
        except (aiohttp.ClientError, HttpProcessingError, ValueError):
            raise ProtocolViolation("The model provider's answer is not valid HTTP.") from None
        if response.status != 200:
            response.close()
            raise for_status(response.status, response.headers.get("Retry-After"))
        return Body(response, deadline, first_byte_s, idle_s)


class Body:
    """The body of a response, as it arrives."""

    def __init__(self, response: aiohttp.ClientResponse, deadline: float, first_byte_s: float, idle_s: float) -> None:
        self._response = response
        self._content = response.content
        self._loop = asyncio.get_running_loop()
        self._first_byte_s = first_byte_s
        self._idle_s = idle_s
        self._last: float | None = None
        self._timer: asyncio.TimerHandle | None = self._loop.call_at(deadline, self._look)

    async def read(self) -> bytes:
        """What has arrived since the last read, as soon as there is something; empty at the end. Raises ProviderError."""
        try:
            data = await self._content.readany()
        except ProviderError:
            self.close()
            raise
        except aiohttp.ClientPayloadError:
            raise Truncated("The connection to the model provider was cut in mid-answer.") from None
        except (aiohttp.ClientConnectionError, OSError):
            raise Truncated("The connection to the model provider was lost in mid-answer.") from None
        except (aiohttp.ClientError, HttpProcessingError):
            raise ProtocolViolation("The model provider's answer is not valid HTTP.") from None
        self._last = self._loop.time()
        return data

    async def read_all(self, limit: int) -> bytes:
        """The whole body, up to `limit` bytes. Raises ProviderError."""
        parts: list[bytes] = []
        size = 0
        while data := await self.read():
            parts.append(data)
            size += len(data)
            if size > limit:
                raise ProtocolViolation(f"The model provider's answer exceeds {limit} bytes.")
        return b"".join(parts)

    def close(self) -> None:
        """Closes the socket now, whatever is still to come. Closing twice is allowed."""
        self._stop_timer()
        self._response.close()

    async def drain(self) -> None:
        """Reads the little that follows the last frame, so that the connection can be used again; gives up soon."""
        try:
            async with asyncio.timeout(DRAIN_S):
                while await self._content.readany():
                    pass
        except (TimeoutError, ProviderError, aiohttp.ClientError, OSError):
            pass
        finally:
            self.close()

    def _look(self) -> None:
        silent_for = self._first_byte_s if self._last is None else self._idle_s
        due = self._loop.time() if self._last is None else self._last + self._idle_s
        if self._loop.time() < due:
            self._timer = self._loop.call_at(due, self._look)
        else:
            self._content.set_exception(ProviderTimeout(f"The model provider sent nothing for {silent_for:g} s."))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
