"""The frames of our own hops: how ids are added and read, and what each kind of frame looks like.

id: N + data            a chunk; N is its index in the call's log
id: N + event: receipt  what the call cost
id: N + event: hop      the gateway's marks
event: hop              a lower hop's marks, without an id
event: failed           terminal
data: [DONE]            terminal
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from wire.errors import ErrorCode, WireError
from wire.sse import DONE, encode

__all__ = ["DONE", "failed_frame", "hop_frame", "index_after", "is_chunk", "is_terminal", "numbered", "payload", "prefix", "receipt_frame"]

_FAILED = b"event: failed\n"
_MAX_ID_DIGITS = 15
_to_json = json.JSONEncoder(separators=(",", ":")).encode


def prefix(index: int) -> bytes:
    """The line that gives a frame its id."""
    return b"id: %d\n" % index


def numbered(index: int, frame: bytes) -> bytes:
    """The frame with its id in front."""
    return b"id: %d\n%b" % (index, frame)


def is_terminal(frame: bytes) -> bool:
    """Whether this frame ends the stream, successfully or not."""
    return frame == DONE or frame.startswith(_FAILED)


def is_chunk(frame: bytes) -> bool:
    """Whether a numbered frame carries a chunk: its second line is a `data` field, not an `event`."""
    return frame.startswith(b"data", frame.find(b"\n") + 1)


def payload(frame: bytes) -> bytes:
    """The data of a frame from one of our own hops. It is always a single line."""
    start = frame.find(b"data: ")
    return frame[start + 6 : -2]


def receipt_frame(receipt: Mapping[str, object]) -> bytes:
    """The `receipt` frame (`wire.records.Receipt`), without an id yet."""
    return encode(_to_json(receipt), event="receipt")


def hop_frame(record: Mapping[str, object]) -> bytes:
    """The `hop` frame (`wire.records.HopRecord`), without an id yet."""
    return encode(_to_json(record), event="hop")


def failed_frame(error: WireError) -> bytes:
    """The terminal frame of a stream that went wrong."""
    return encode(error.to_body(), event="failed")


def index_after(last_event_id: str | None) -> int:
    """The index at which a reader with this `Last-Event-ID` goes on; 0 without one. Raises WireError INVALID_REQUEST."""
    if not last_event_id:
        return 0
    if not (last_event_id.isascii() and last_event_id.isdecimal() and len(last_event_id) <= _MAX_ID_DIGITS):
        raise WireError(ErrorCode.INVALID_REQUEST, "Last-Event-ID: it must be the id of a frame, a number from 0.", status=400)
    return int(last_event_id) + 1
