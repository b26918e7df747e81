"""The hop, outward: a generation's log as a response, from any index, in our own dialect or in OpenAI's.

Start, resume and the OpenAI surface are the same relay; they differ in where they begin, in how long a generation outlives them,
and in what they leave out of the frames.
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hop.relay import Translate, relay
from saas_api.generation import Generation
from saas_api.generations import Generations
from wire.errors import ErrorCode, WireError
from wire.frames import payload
from wire.sse import encode

_EVENT = b"event: "
_FAILED = b"event: failed\n"


class EventStream(Response):
    """A response that follows a generation's log."""

    def __init__(
        self,
        generations: Generations,
        generation: Generation,
        index: int = 0,
        *,
        grace_s: float | None = None,
        translate: Translate | None = None,
    ) -> None:
        super().__init__()
        self._generations = generations
        self._generation = generation
        self._index = index
        self._grace_s = grace_s
        self._translate = translate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        generation, call = self._generation, self._generation.call
        headers = [(b"x-job-id", call.job_id.encode()), (b"x-call-id", call.call_id.encode())]
        try:
            await relay(
                generation.log,
                self._index,
                receive,
                send,
                write=scope["state"]["write"],
                headers=headers,
                marks=generation.marks,
                translate=self._translate,
            )
        finally:
            self._generations.reader_left(generation, self._grace_s)


class OpenAIFrames:
    """Our frames as OpenAI's SDKs expect them: no ids, no named events, usage only for those who asked."""

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
    frame = frame.replace(b',"usage":null', b"")  # what OpenAI writes on every chunk but the last
    if b'"usage"' not in frame:
        return frame
    try:
        chunk = orjson.loads(payload(frame))
    except orjson.JSONDecodeError:
        return frame
    usage = chunk.pop("usage", None)
    if usage is not None and not chunk.get("choices"):
        return b""  # the chunk that carried nothing else
    return encode(orjson.dumps(chunk))


def index_after(last_event_id: str | None) -> int:
    """Where a reader goes on that has seen this id; 0 for none. Raises WireError INVALID_REQUEST."""
    if last_event_id is None or last_event_id == "":
        return 0
    if not last_event_id.isascii() or not last_event_id.isdecimal() or len(last_event_id) > 15:
        raise WireError(ErrorCode.INVALID_REQUEST, "Last-Event-ID: must be the id of a frame of this stream, a number from 0.")
    return int(last_event_id) + 1
