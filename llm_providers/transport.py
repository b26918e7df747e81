"""How a request gets to a provider and its answer back, and what the faults on the way are called here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from hop.connections import Client
from hop.response import ConnectFailed, ConnectionLost, PeerSilent, PeerUnintelligible, Response
from llm_providers.errors import ProtocolViolation, ProviderTimeout, ProviderUnavailable, Truncated, for_status
from wire.context import outgoing_headers

_HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "identity", "User-Agent": "streaming-chat"}


class Transport:
    """Connections to all providers. Use as an async context manager, inside the event loop that uses it."""

    def __init__(self) -> None:
        self._client = Client()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._client.aclose()

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes, first_byte_s: float, idle_s: float) -> Body:
        """Sends the request and returns once the headers of a 200 are here. Raises ProviderError for everything else.

        `first_byte_s` bounds the time to the first byte of the body, `idle_s` every silence after it.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + first_byte_s
        sent = _HEADERS | outgoing_headers() | dict(headers)
        try:
            response = await self._client.request("POST", url, sent, body, patience_s=first_byte_s)
        except PeerSilent:
            raise ProviderTimeout(f"The model provider sent nothing within {first_byte_s:g} s.") from None
        except (ConnectFailed, ConnectionLost):
            raise ProviderUnavailable("The model provider cannot be reached.", retry_after=1.0) from None
        except PeerUnintelligible:
            raise ProtocolViolation("The model provider's answer is not valid HTTP.") from None
        if response.status != 200:
            response.close()
            raise for_status(response.status, response.headers.get("retry-after"))
        response.limit_silence(max(0.0, deadline - loop.time()), idle_s)
        return Body(response)


class Body:
    """The body of an answer, as it arrives."""

    def __init__(self, response: Response) -> None:
        self._response = response

    async def follow(self, sink: Callable[[bytes], bool]) -> None:
        """Hands each piece to `sink` in the turn of the event loop in which it came, until the end or until the sink returns True.

        Raises ProviderError, and what the sink raises.
        """
        with _named_faults():
            await self._response.follow(sink)

    async def read_all(self, limit: int) -> bytes:
        """The whole body, up to `limit` bytes. Raises ProviderError."""
        with _named_faults():
            return await self._response.read_all(limit)

    def close(self) -> None:
        """Closes the socket now, whatever is still to come; nothing after the end. Closing twice is allowed."""
        self._response.close()


@contextmanager
def _named_faults() -> Iterator[None]:
    try:
        yield
    except PeerSilent as error:
        raise ProviderTimeout(f"The model provider fell silent: {error}.") from None
    except ConnectionLost:
        raise Truncated("The connection to the model provider was cut in mid-answer.") from None
    except PeerUnintelligible:
        raise ProtocolViolation("The model provider's answer is not valid HTTP, or too long.") from None
