"""OpenAI's chat dialect and its many imitators: a request out, clean frames in.

Strategy. Most providers write `data: {…}\\n\\n` and nothing else. Such a frame is handed on as the bytes it came as. It is checked only for
its first and last bytes, for line ends inside, for being UTF-8, for a choice, for `"error"` (in a JSON string the quotes would be escaped),
and for numbers that JSON does not have. Every other frame, and everything after the first CR, goes through the full decoder: a
chunk is written anew, a heartbeat is dropped, and all else is a failure (`llm_providers.faults`).

Format: https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hop.fold import Fold
from hop.json import read, read_object, read_whole
from hop.requests import below
from llm_providers.dialect import Request
from llm_providers.errors import ProtocolViolation, ProviderError, Truncated, not_json, reported
from llm_providers.faults import fault_in, is_chunk, is_failing
from wire.chunks import as_chunk, first_choice, merge_usage, read_delta
from wire.frames import numbered
from wire.log import StreamLog
from wire.sse import DEFAULT_MAX_FRAME_BYTES, DONE, FOREIGN, Decoder, Event, FrameSplitter, FrameTooLarge, encode

if TYPE_CHECKING:
    from llm_providers.registry import Target


_FIELD = re.compile(rb"[\r\n](?:data|event|id|retry)?:")
"""A line of an event stream. No line within JSON begins like it."""
_LONGEST_NAME = 8
_EVENTS = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:data|event|id|retry)?:")
_WINDOW = 64 * 1024


class OpenAI:
    """The dialect (`llm_providers.dialect.Dialect`)."""

    def request(self, target: Target, params: Mapping[str, Any], *, streamed: bool, usage: bool = True) -> Request:
        """Asks for usage in a stream even if the caller did not: without it nobody knows what the answer cost."""
        body = {**params, "model": target.model}
        body.pop("stream", None)
        options = body.pop("stream_options", None)
        if streamed:
            body["stream"] = True
        if streamed and usage:
            body["stream_options"] = {**(options if isinstance(options, Mapping) else {}), "include_usage": True}
        headers = {"Authorization": f"Bearer {target.api_key}"} if target.api_key else {}
        return Request(below(target.api_base, "/chat/completions"), headers, body)

    def reader(self) -> CleanFrames:
        return CleanFrames()

    async def whole(self, body: bytes) -> Any:
        if _EVENTS.match(body):
            return await _folded(body)
        try:
            return await read_whole(body)
        except ValueError:
            raise not_json() from None

    def completion(self, answer: Any) -> dict[str, Any]:
        completion = _an_object(answer[0] if isinstance(answer, list) and answer else answer)
        if (fault := fault_in(completion)) is not None:
            raise fault
        choice = first_choice(completion)
        if choice is None or not isinstance(choice.get("message"), dict):
            raise ProtocolViolation("The model provider's answer holds no message.")
        if not choice.get("finish_reason") and not read_delta(choice["message"]).is_token:
            raise ProtocolViolation("The model provider's answer is empty.")
        completion["usage"] = merge_usage(merge_usage(None, completion.get("usage")), choice.get("usage"))
        return completion

    def frames(self, answer: Any) -> list[bytes]:
        return [encode(json.dumps(as_chunk(self.completion(answer)), separators=(",", ":")))]


class CleanFrames:
    """Reads a stream of this dialect (`llm_providers.dialect.FrameReader`). `[DONE]` ends it in order."""

    __slots__ = ("_begun", "_between", "_decoder", "_splitter", "done", "failure", "whole")

    def __init__(self) -> None:
        self.done = False
        self.failure: ProviderError | None = None
        self.whole: bytearray | None = None
        self._splitter = FrameSplitter()
        self._begun = False  # it is known to be an event stream
        self._between = True  # no frame is unfinished, and no CR has come
        self._decoder: Decoder | None = None  # from the first CR on

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that these bytes complete, up to the end or the fault."""
        if self._between and _is_clean(data) and len(data) <= DEFAULT_MAX_FRAME_BYTES:
            self._begun = True
            return [data]  # by far the commonest read: one clean frame
        if not self._begun and (self.whole is not None or self._is_json(data)):
            return self._keep(data)
        try:
            if self._decoder is None and b"\r" in data:
                self._decoder = _decoder()
                data = self._splitter.pending + data
            if self._decoder is not None:
                frames = self._rewrite(self._decoder, data)
            else:
                frames = self._clean(self._splitter.feed(data))
        except FrameTooLarge as error:
            frames = self._clean(error.frames)
            self.failure = self.failure or ProtocolViolation(f"The model provider sent a frame of more than {error.limit} bytes.")
        self._between = self._decoder is None and not self._splitter.pending
        return frames

    def end(self) -> list[bytes]:
        if self.done or self.failure is not None or self.whole is not None:
            return []
        decoder, rest = (_decoder(), self._splitter.pending) if self._decoder is None else (self._decoder, b"")
        frames = self._rewrite(decoder, rest + b"\n\n")
        self.failure = _unless_cut(self.failure)
        return frames

    def _is_json(self, data: bytes) -> bool:
        """Whether the body is JSON in place of an event stream. Its first character tells: no line of a stream begins like that."""
        beginning = (self._splitter.pending + data).removeprefix(BOM_UTF8).lstrip()
        if BOM_UTF8.startswith(beginning):
            return False  # nothing is known yet
        self._begun = not beginning.startswith((b"{", b"["))
        return not self._begun

    def _keep(self, data: bytes) -> list[bytes]:
        """Keeps JSON until the body ends, or until it turns out to be a line before the events."""
        if self.whole is None:
            self.whole = bytearray(self._splitter.pending)
            self._splitter = FrameSplitter()
        looked = max(0, len(self.whole) - _LONGEST_NAME)
        self.whole += data
        if _FIELD.search(self.whole, looked):
            kept, self.whole, self._begun = bytes(self.whole), None, True
            return self.feed(kept)
        if len(self.whole) > DEFAULT_MAX_FRAME_BYTES:
            self.whole = None
            self.failure = ProtocolViolation(f"The model provider sent more than {DEFAULT_MAX_FRAME_BYTES} bytes of JSON for a stream.")
        return []

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
                clean += self._rewrite(_decoder(), frame)
        return clean

    def _rewrite(self, decoder: Decoder, data: bytes) -> list[bytes]:
        clean: list[bytes] = []
        for event in decoder.feed(data):
            if event.data.strip() == "[DONE]":
                self.done = True
                break
            try:
                if (chunk := _chunk(event)) is not None:
                    clean.append(chunk)
            except ProviderError as error:
                self.failure = error.with_traceback(None)  # which refers to this reader: the cycle would wait for the collector
                break
        return clean


async def _folded(body: bytes) -> dict[str, Any]:
    """The answer in an event stream that came where a whole answer was asked for. Raises ProviderError."""
    reader, fold, log = CleanFrames(), Fold(), StreamLog()
    for start in range(0, len(body), _WINDOW):
        _append(log, reader.feed(body[start : start + _WINDOW]))
        await fold.follow(log)
        if reader.done or reader.failure is not None:
            break
    _append(log, reader.end())
    await fold.follow(log)
    failure, reader.failure = reader.failure, None
    finished = fold.answer.finish_reason is not None
    if failure is not None and not (finished and isinstance(failure, ProtocolViolation)):
        try:
            raise failure
        finally:
            del failure  # its traceback refers to this frame: the cycle would wait for the collector
    if not reader.done and not finished:
        raise Truncated("The model provider's answer ended without being finished.")
    return fold.answer.completion()


def _append(log: StreamLog, frames: list[bytes]) -> None:
    log.append([numbered(index, frame) for index, frame in enumerate(frames, len(log))])


def _decoder() -> Decoder:
    return Decoder(keep_ignored=True)


def _is_clean(frame: bytes) -> bool:
    return (
        frame.startswith(b"data: {")
        and frame.endswith(b"}\n\n")
        and frame.find(b"\n") == len(frame) - 2
        and b"\r" not in frame
        and (b'"choices":[{' in frame or b'"choices": [{' in frame)
        and b'"error"' not in frame
        and b"NaN" not in frame
        and b"nfinity" not in frame
        and (frame.isascii() or _is_utf8(frame))
    )


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _chunk(event: Event) -> bytes | None:
    """The frame of an event that is a chunk; None for a heartbeat. Raises ProviderError for everything else."""
    data = event.data.strip()
    if event.event == FOREIGN:
        _check_foreign(data)
        return None
    if is_failing(event.event):
        raise reported(read_object(data) or data)
    if not data or data == "null":
        return None
    try:
        value = read(data)
    except ValueError:
        if event.event != "message":
            return None  # an event of another kind
        raise not_json() from None
    if (fault := fault_in(_an_object(value))) is not None:
        raise fault
    if not is_chunk(value):
        return None
    if "NaN" in data or "nfinity" in data:
        value = json.loads(data, parse_constant=_nothing)
    elif "\n" not in data:
        return encode(data)
    return encode(json.dumps(value, separators=(",", ":")))


def _nothing(_constant: str) -> None:
    """What stands for a number that JSON does not have."""


def _check_foreign(text: str) -> None:
    """Raises ProviderFault if lines that are no event tell one: some servers write an error as it is into the stream."""
    if text.startswith(("{", "[")):
        try:
            value = read(text)
        except ValueError:
            return
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, dict) and (fault := fault_in(value)) is not None:
            raise fault
    elif text[:100].lower().startswith(("error", "<html", "<!doctype")):
        raise reported(text)


def _unless_cut(failure: ProviderError | None) -> ProviderError | None:
    """A body that ends with half a frame was cut, which says more than that half a frame is no JSON."""
    return None if isinstance(failure, ProtocolViolation) else failure


def _an_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ProtocolViolation("The model provider sent JSON that is not an object.")
    return value
