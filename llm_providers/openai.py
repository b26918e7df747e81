"""OpenAI's chat dialect and its many imitators: a request in, clean frames out.

Strategy. Most providers write `data: {…}\\n\\n` and nothing else. Such a frame is handed on as the bytes it came as; what is looked
at is its first and last bytes, that no line end stands inside, and that the key `"error"` does not occur (in a JSON string the quotes
would be escaped, so the test has no false negatives). Every other frame, and everything after the first CR, goes through the full
decoder and is written anew. Where no `[DONE]` has come, the finish reason is looked for once, at the end, in the last frames.

Format: https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from llm_providers.errors import InvalidRequest, ProtocolViolation, ProviderError, ProviderFault, Truncated
from llm_providers.registry import Target
from llm_providers.transport import Body, Transport
from wire.sse import DEFAULT_MAX_FRAME_BYTES, Decoder, FrameSplitter, FrameTooLarge, encode

MAX_ANSWER_BYTES = 32 * 1024 * 1024
_TAIL_FRAMES = 8

FrameSink = Callable[[list[bytes], int], None]


async def open_stream(transport: Transport, target: Target, params: Mapping[str, Any]) -> CompletionStream:
    """Asks for a streamed completion and returns when the provider has accepted. Usage is always asked for. Raises ProviderError."""
    options = params.get("stream_options")
    options = {**options, "include_usage": True} if isinstance(options, Mapping) else {"include_usage": True}
    request = {**params, "model": target.model, "stream": True, "stream_options": options}
    return CompletionStream(await _post(transport, target, request))


async def complete(transport: Transport, target: Target, params: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """Asks for a whole `chat.completion`; with it, how many bytes it was. Raises ProviderError."""
    request = {**params, "model": target.model}
    request.pop("stream", None)
    request.pop("stream_options", None)
    body = await _post(transport, target, request, patience_s=target.timeout_idle_s)
    try:
        raw = await body.read_all(MAX_ANSWER_BYTES)
    finally:
        body.close()
    answer = _parse(raw)
    if answer.get("error"):
        raise ProviderFault("The model provider reported an error.")
    choices = answer.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        raise ProtocolViolation("The model provider's answer holds no message.")
    return answer, len(raw)


async def _post(transport: Transport, target: Target, request: Mapping[str, Any], *, patience_s: float = 0.0) -> Body:
    try:
        body = orjson.dumps(request)
    except TypeError as error:  # a lone surrogate, an integer beyond 64 bits
        raise InvalidRequest(f"The request cannot be written as JSON: {error}.") from None
    return await transport.post(
        f"{target.api_base}/chat/completions",
        headers=target.headers(),
        body=body,
        first_byte_s=target.timeout_first_byte_s + patience_s,
        idle_s=target.timeout_idle_s,
    )


class CompletionStream:
    """A streamed answer as clean frames, each `data: {…}\\n\\n`."""

    def __init__(self, body: Body) -> None:
        self._body = body

    async def follow(self, sink: FrameSink) -> None:
        """Hands over the frames as they arrive; returns at the end of an answer that was finished.

        `sink` gets the frames that one read of the socket completed, perhaps none, and how many bytes that read was. It is called in the
        turn of the event loop in which the bytes came. Raises ProviderError, after all frames before the fault have been handed
        over, and what the sink raises. The provider's connection is kept for the next request only after an end in order.
        """
        frames = CleanFrames()

        def take(data: bytes) -> bool:
            sink(frames.feed(data), len(data))
            if frames.failure is not None:
                raise frames.failure
            return frames.done

        try:
            await self._body.follow(take)
        except BaseException:
            self.close()
            raise
        frames.check_finished()

    def close(self) -> None:
        """Closes the provider's socket at once."""
        self._body.close()


class CleanFrames:
    """Bytes in, clean frames out. `done` after `[DONE]`; `failure` once something came that no frame may follow."""

    def __init__(self) -> None:
        self.done = False
        self.failure: ProviderError | None = None
        self._splitter = FrameSplitter()
        self._between = True  # no frame is unfinished
        self._decoder: Decoder | None = None  # from the first CR on
        self._last: deque[bytes] = deque(maxlen=_TAIL_FRAMES)

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that these bytes complete, up to the end or the fault."""
        if self._between and _is_clean(data) and self._decoder is None and len(data) <= DEFAULT_MAX_FRAME_BYTES:
            self._last.append(data)  # by far the commonest read: one clean frame
            return [data]
        try:
            if self._decoder is None and b"\r" in data:
                self._decoder = Decoder()
                data = self._splitter.pending + data
            if self._decoder is not None:
                frames = self._rewrite(self._decoder, data)
            else:
                frames = self._clean(self._splitter.feed(data))
        except FrameTooLarge as error:
            frames = self._clean(error.frames)
            self.failure = self.failure or ProtocolViolation(f"The model provider sent a frame of more than {error.limit} bytes.")
        self._last.extend(frames)
        self._between = not self._splitter.pending
        return frames

    def check_finished(self) -> None:
        """Called at the end of the body. Raises Truncated where neither `[DONE]` nor a finish reason has come."""
        if not self.done and not _is_finished(self._last):
            raise Truncated("The model provider's answer ended without being finished.")

    def _clean(self, frames: list[bytes]) -> list[bytes]:
        for frame in frames:
            if not _is_clean(frame):
                return self._mend(frames)
        return frames

    def _mend(self, frames: list[bytes]) -> list[bytes]:
        """The clean frames as they are, the others decoded and written anew."""
        clean: list[bytes] = []
        for frame in frames:
            if self.done or self.failure is not None:
                break
            if _is_clean(frame):
                clean.append(frame)
            else:
                clean += self._rewrite(Decoder(), frame)
        return clean

    def _rewrite(self, decoder: Decoder, data: bytes) -> list[bytes]:
        clean: list[bytes] = []
        for event in decoder.feed(data):
            if event.data == "[DONE]":
                self.done = True
                break
            try:
                chunk = _parse(event.data)
                if chunk.get("error"):
                    raise ProviderFault("The model provider reported an error in mid-answer.")
            except ProviderError as error:
                self.failure = error
                break
            clean.append(encode(json.dumps(chunk, separators=(",", ":")) if "\n" in event.data else event.data))
        return clean


def _is_clean(frame: bytes) -> bool:
    return (
        frame.startswith(b"data: {")
        and frame.endswith(b"}\n\n")
        and frame.find(b"\n") == len(frame) - 2
        and b"\r" not in frame
        and b'"error"' not in frame
    )


def _parse(raw: bytes | str) -> dict[str, Any]:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        try:
            value = json.loads(raw)  # takes half a surrogate pair, which is what a chunk may hold
        except ValueError:
            raise ProtocolViolation("The model provider sent something that is not JSON.") from None
    if not isinstance(value, dict):
        raise ProtocolViolation("The model provider sent JSON that is not an object.")
    return value


def _is_finished(frames: Iterable[bytes]) -> bool:
    """Whether one of these clean frames tells a finish reason."""
    for frame in frames:
        try:
            choices = orjson.loads(frame[len(b"data: ") :]).get("choices")
        except orjson.JSONDecodeError:
            continue
        if isinstance(choices, list) and choices and isinstance(choices[0], dict) and choices[0].get("finish_reason") is not None:
            return True
    return False


__all__ = ["CleanFrames", "CompletionStream", "complete", "open_stream"]
