"""Turns our frames into what OpenAI's SDKs expect: no ids, no named events, and usage only if it was asked for."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from hop.json import read_object
from wire.frames import payload
from wire.sse import encode

_EVENT = b"event: "
_FAILED = b"event: failed\n"


class OpenAIFrames:
    """Translates the frames of a call's log for the OpenAI surface (`hop.relay.Translate`)."""

    def __init__(self, *, include_usage: bool) -> None:
        self._include_usage = include_usage

    def __call__(self, frames: Iterable[bytes]) -> bytes:
        return b"".join(map(self._translate, frames))

    def _translate(self, frame: bytes) -> bytes:
        if frame.startswith(b"id: "):
            frame = frame[frame.find(b"\n") + 1 :]
        if frame.startswith(_EVENT):
            return frame[len(_FAILED) :] if frame.startswith(_FAILED) else b""
        if not self._include_usage and b'"usage"' in frame:
            return _without_usage(frame)
        return frame


def _without_usage(frame: bytes) -> bytes:
    frame = frame.replace(b',"usage":null', b"")  # OpenAI writes it on every chunk but the last
    if b'"usage"' not in frame:
        return frame
    chunk = read_object(payload(frame))
    if chunk is None:
        return frame
    usage = chunk.pop("usage", None)
    if usage is not None and not chunk.get("choices"):
        return b""  # that chunk carried nothing else
    return encode(orjson.dumps(chunk))
