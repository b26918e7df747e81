"""Asking a provider: sending a request, receiving its answer, and naming the faults on the way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

from hop.door import Door
from hop.http1 import is_encoded
from hop.pieces import write_in_pieces
from hop.response import ConnectFailed, ConnectionLost, ExchangeFailed, PeerSilent, PeerUnintelligible, Response
from hop.retry_after import retry_after
from llm_providers.dialect import FrameReader, Request
from llm_providers.errors import (
    InvalidRequest,
    ProtocolViolation,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    Refusal,
    Truncated,
    for_refusal,
    without_content,
)
from llm_providers.reasons import scrubbed, told
from llm_providers.registry import Target
from wire.context import outgoing_headers

logger = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""The longest whole answer: the longest of today's models, with the probabilities of some thousand tokens beside it."""

MAX_REFUSAL_BYTES = 64 * 1024
REFUSAL_TIMEOUT_S = 1.0
"""How much of a refused request's body is read, and for how long: another deployment may be waiting to be asked."""

_WITHOUT_CONTENT = (204, 205)
"""Successes that have no body (RFC 9110, 15.3)."""
_HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "identity", "User-Agent": "streaming-chat"}

FrameSink = Callable[[list[bytes], int], None]
"""Takes the clean frames that one read of the socket completed, perhaps none, and how many bytes it read."""


class Progress(Protocol):
    """What whoever takes the frames knows of the answer so far. It is asked now and then, never for each frame."""

    def has_token(self) -> bool:
        """Whether a token has come."""

    def is_over(self) -> bool:
        """Whether the answer is finished and nothing more of it is to be waited for, although the provider has not ended it."""


class Transport:
    """Connections to all providers. Use as an async context manager, inside the event loop that uses it."""

    def __init__(self) -> None:
        self._door = Door()
        self._without_usage: set[Target] = set()
        """Those that refuse `stream_options`."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._door.aclose()

    async def stream(
        self,
        target: Target,
        params: Mapping[str, Any],
        sink: FrameSink,
        *,
        accepted: Callable[[], None] | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Asks for a streamed answer and hands over its frames as they arrive. Returns once the answer was finished in order.

        `sink` is called in the turn of the event loop in which the bytes came, `accepted` when the response's head is here. Until
        `progress` says that a token has come, `timeout_first_token_s` runs, whatever else comes. Raises what the sink raises, and
        ProviderError after all frames before the fault have been handed over: Truncated if the provider has not ended the stream, even if
        the answer in it is finished. An error or a cancellation closes the provider's socket at once.
        """
        dialect = target.dialect
        deadline = asyncio.get_running_loop().time() + target.timeout_first_token_s
        response = await self._begin(target, params, deadline)
        del params  # the answer may take long, and the request may be long
        left_s = max(0.0, deadline - asyncio.get_running_loop().time())
        if progress is None:
            response.limit_silence(left_s, target.timeout_idle_s)
        else:
            response.limit_silence(left_s, target.timeout_idle_s, progress.has_token, progress.is_over)
        if accepted is not None:
            accepted()
        reader = dialect.reader()
        fault = await _followed(response, _Frames(reader, sink, target.api_key))
        try:
            if reader.whole is not None and (frames := await _as_frames(target, bytes(reader.whole), fault)) is not None:
                sink(frames, 0)
            elif fault is not None:
                raise fault
            elif not reader.done:
                raise Truncated("The model provider's answer ended without being finished.")
        finally:
            del fault  # its traceback refers to this frame: the cycle would wait for the collector

    async def _begin(self, target: Target, params: Mapping[str, Any], deadline: float) -> Response:
        """Asks for a stream, and for its usage unless the provider is known to refuse that. Raises as `_post` does."""
        dialect, clock = target.dialect, asyncio.get_running_loop().time
        if target not in self._without_usage:
            try:
                return await self._post(target, dialect.request(target, params, streamed=True), target.timeout_first_token_s)
            except InvalidRequest as error:
                if not _minds_usage(error):
                    raise
        response = await self._post(target, dialect.request(target, params, streamed=True, usage=False), max(0.0, deadline - clock()))
        if target not in self._without_usage:
            self._without_usage.add(target)
            logger.warning("%s/%s refuses to be asked for a stream's usage: it is estimated from now on", target.provider, target.model)
        return response

    async def complete(self, target: Target, params: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
        """Asks for a whole `chat.completion`. Returns it and how many bytes it was. Raises ProviderError."""
        dialect = target.dialect
        body = bytearray()
        fault: ProviderError | None = None
        try:
            async with asyncio.timeout(target.timeout_whole_s):
                response = await self._post(target, dialect.request(target, params, streamed=False))
                fault = await _read_into(body, response)
        except TimeoutError:
            fault = ProviderTimeout(f"The model provider did not answer within {target.timeout_whole_s:g} s.")
        try:
            if not body:
                raise fault or without_content(response.status)
            with _scrubbed(target.api_key):
                return dialect.completion(await dialect.whole(bytes(body))), len(body)
        except ProtocolViolation:
            if fault is None:
                raise
            raise fault from None
        finally:
            del fault  # its traceback refers to this frame: the cycle would wait for the collector

    async def _post(self, target: Target, request: Request, patience_s: float | None = None) -> Response:
        """Sends the request and returns once the head of a success is here. Raises ProviderError for everything else."""
        try:
            body = await write_in_pieces(request.content)
        except TypeError as error:  # a lone surrogate, an integer beyond 64 bits
            raise InvalidRequest(f"The request cannot be written as JSON: {error}.") from None
        headers = {**_HEADERS, **outgoing_headers(), **request.headers}
        try:
            response = await self._door.request("POST", request.url, headers, body, patience_s=patience_s, way=target.way)
        except PeerSilent:
            raise ProviderTimeout(f"The model provider sent nothing within {patience_s:g} s.") from None
        except (ConnectFailed, ConnectionLost) as error:
            raise ProviderUnavailable("The model provider cannot be reached.", retry_after=1.0, reason=str(error)) from None
        except PeerUnintelligible as error:
            raise ProtocolViolation(f"The model provider's answer cannot be read: {error}.") from None
        if response.status in _WITHOUT_CONTENT:
            response.close()
            raise without_content(response.status)
        if not 200 <= response.status < 300:
            raise _refused(await _refusal(response), target.api_key)  # a local name for it would be a cycle: the collector's work
        return response


async def _refusal(response: Response) -> Refusal:
    """What an answer with a status beyond 2xx says. It reads a bounded part of the body, for a bounded time, and never fails."""
    parts: list[bytes] = []
    size = 0
    try:
        with suppress(ExchangeFailed, TimeoutError):
            async with asyncio.timeout(REFUSAL_TIMEOUT_S):
                while size < MAX_REFUSAL_BYTES and (data := await response.read()):
                    parts.append(data)
                    size += len(data)
    finally:
        response.close()
    body = b"" if is_encoded(response.headers) else b"".join(parts)[:MAX_REFUSAL_BYTES]
    error, reason = told(body)
    if 300 <= response.status < 400 and (place := urlsplit(response.headers.get("location", "")).netloc):
        reason = f"it redirects to {place.rpartition('@')[2]}, where nobody is asked"
    return Refusal(response.status, retry_after(response.headers), error, reason)


def _refused(refusal: Refusal, key: str | None) -> ProviderError:
    error = for_refusal(refusal)
    error.status = refusal.status
    error.reason = scrubbed(refusal.reason, key)
    return error


def _minds_usage(error: InvalidRequest) -> bool:
    """Whether the request may have been refused for our wish for usage alone: a schema does not know it, or the provider says so."""
    return error.status == 422 or "stream_options" in error.reason or "include_usage" in error.reason


class _Frames:
    """Hands a provider's bytes to a sink as clean frames, and raises what the reader finds wrong."""

    __slots__ = ("_key", "_reader", "_sink")

    def __init__(self, reader: FrameReader, sink: FrameSink, key: str | None) -> None:
        self._key = key
        self._reader = reader
        self._sink = sink

    def take(self, data: bytes) -> bool:
        reader = self._reader
        self._sink(reader.feed(data), len(data))
        return self._checked()

    def end(self) -> None:
        """To be called at the body's end, in order or not."""
        if frames := self._reader.end():
            self._sink(frames, 0)
        self._checked()

    def _checked(self) -> bool:
        reader = self._reader
        failure = reader.failure
        if failure is not None:
            reader.failure = None
            failure.reason = scrubbed(failure.reason, self._key)
            try:
                raise failure
            finally:
                del failure  # its traceback refers to this frame: the cycle would wait for the collector
        return reader.done


async def _followed(response: Response, frames: _Frames) -> ProviderError | None:
    """Hands over the frames of a body. Returns the fault of the transport that ended it, if one did. Raises what `frames` raises."""
    fault: ProviderError | None = None
    try:
        try:
            await response.follow(frames.take)
        except ExchangeFailed as error:
            fault = _named(error)
        frames.end()
    except BaseException:
        response.close()
        raise
    return fault


async def _read_into(body: bytearray, response: Response) -> ProviderError | None:
    """Reads a whole body. Returns the fault that ended it, if one did: what has come may be all there is."""
    try:
        while data := await response.read():
            body += data
            if len(body) > MAX_ANSWER_BYTES:
                body.clear()
                return ProtocolViolation(f"The model provider's answer cannot be read: the answer exceeds {MAX_ANSWER_BYTES} bytes.")
    except ExchangeFailed as error:
        return _named(error)
    finally:
        response.close()
    return None


async def _as_frames(target: Target, body: bytes, fault: ProviderError | None) -> list[bytes] | None:
    """The frames of JSON that came in place of a stream; None if `fault` ended it and it is not whole. Raises ProviderError."""
    try:
        with _scrubbed(target.api_key):
            return target.dialect.frames(await target.dialect.whole(body))
    except ProtocolViolation:
        if fault is None:
            raise
        return None


@contextmanager
def _scrubbed(key: str | None) -> Iterator[None]:
    """Makes the reason of an error within fit for a log."""
    try:
        yield
    except ProviderError as error:
        error.reason = scrubbed(error.reason, key)
        raise


def _named(error: ExchangeFailed) -> ProviderError:
    """Gives the fault of a body on its way our own name."""
    if isinstance(error, PeerSilent):
        return ProviderTimeout(f"The model provider fell silent: {error}.")
    if isinstance(error, ConnectionLost):
        return Truncated("The connection to the model provider was cut in mid-answer.", reason=str(error))
    return ProtocolViolation(f"The model provider's answer cannot be read: {error}.")
