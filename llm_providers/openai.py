"""OpenAI's chat dialect and its many imitators: a request out, clean frames in.

Strategy. Most providers write `data: {…}\\n\\n` and nothing else. Such a frame is handed on as the bytes it came as. It is checked only for
its first and last bytes, for line ends inside, and for the key `"error"`. (In a JSON string the quotes would be escaped, so the test misses
no such key.) Every other frame, and everything after the first CR, goes through the full decoder and is written anew.

Format: https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hop.json import read
from hop.requests import below
from llm_providers.dialect import Request
from llm_providers.errors import ProtocolViolation, ProviderError, ProviderFault, not_json
from wire.sse import DEFAULT_MAX_FRAME_BYTES, DONE, Decoder, FrameSplitter, FrameTooLarge, encode

if TYPE_CHECKING:
    from llm_providers.registry import Target


class OpenAI:
    """The dialect (`llm_providers.dialect.Dialect`)."""

    def request(self, target: Target, params: Mapping[str, Any], *, streamed: bool) -> Request:
        """Asks for usage in a stream even if the caller did not: without it nobody knows what the answer cost."""
        body = {**params, "model": target.model}
        body.pop("stream", None)
        options = body.pop("stream_options", None)
        if streamed:
            body["stream"] = True
            body["stream_options"] = {**(options if isinstance(options, Mapping) else {}), "include_usage": True}
        headers = {"Authorization": f"Bearer {target.api_key}"} if target.api_key else {}
        return Request(below(target.api_base, "/chat/completions"), headers, body)

    def reader(self) -> CleanFrames:
        return CleanFrames()

    def completion(self, answer: Any) -> dict[str, Any]:
        completion = _an_object(answer)
        if completion.get("error"):
            raise ProviderFault("The model provider reported an error.")
        choices = completion.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
            raise ProtocolViolation("The model provider's answer holds no message.")
        return completion


class CleanFrames:
    """Reads a stream of this dialect (`llm_providers.dialect.FrameReader`). `[DONE]` ends it in order."""

    __slots__ = ("_between", "_decoder", "_splitter", "done", "failure")

    def __init__(self) -> None:
        self.done = False
        self.failure: ProviderError | None = None
        self._splitter = FrameSplitter()
        self._between = True  # no frame is unfinished
        self._decoder: Decoder | None = None  # from the first CR on

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that these bytes complete, up to the end or the fault."""
        if self._between and _is_clean(data) and self._decoder is None and len(data) <= DEFAULT_MAX_FRAME_BYTES:
            return [data]  # by far the commonest read: one clean frame
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
        self._between = not self._splitter.pending
        return frames

    def end(self) -> list[bytes]:
        if self.done or self.failure is not None:
            return []
        decoder, rest = (Decoder(), self._splitter.pending) if self._decoder is None else (self._decoder, b"")
        frames = self._rewrite(decoder, rest + b"\n\n")
        self.failure = _unless_cut(self.failure)
        return frames

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
            if frame == DONE:
                self.done = True
            elif _is_clean(frame):
                clean.append(frame)
            elif frame.startswith(b":") and frame.find(b"\n") == len(frame) - 2:
                continue  # a comment; decoding each one would make a flood of them costly
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
                self.failure = error.with_traceback(None)  # which refers to this reader: the cycle would wait for the collector
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
        value = read(raw)
    except ValueError:
        raise not_json() from None
    return _an_object(value)


def _unless_cut(failure: ProviderError | None) -> ProviderError | None:
    """A body that ends with half a frame was cut, which says more than that half a frame is no JSON."""
    return None if isinstance(failure, ProtocolViolation) else failure


def _an_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ProtocolViolation("The model provider sent JSON that is not an object.")
    return value
