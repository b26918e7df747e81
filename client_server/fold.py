"""What a turn's frames add up to: parsed where text is checkpointed and where a turn ends, never on a chunk's way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import orjson

from wire.accumulate import Accumulator
from wire.frames import payload

_RECEIPT = b"event: receipt\n"
_HOP = b"event: hop\n"


class Fold:
    """The frames of one log, folded as far as `index`."""

    __slots__ = ("_answer", "hops", "index", "receipt")

    def __init__(self) -> None:
        self.index = 0
        self.receipt: dict[str, Any] | None = None
        self.hops: list[dict[str, Any]] = []
        self._answer = Accumulator()

    def take(self, frames: Sequence[bytes]) -> None:
        """The next frames of the log. One that is not JSON is passed over: the reader has it, and the text goes on without."""
        chunks: list[bytes] = []
        for frame in frames:
            start = frame.find(b"\n") + 1
            if frame.startswith(b"data: ", start):
                chunks.append(frame[start + 6 : -2])
            else:
                self._take_event(frame)
        try:
            values = orjson.loads(b"[%b]" % b",".join(chunks))  # one parse for all of them
        except orjson.JSONDecodeError:
            values = [_parsed(chunk) for chunk in chunks]
        for value in values:
            if isinstance(value, dict):
                self._answer.add(value)
        self.index += len(frames)

    def _take_event(self, frame: bytes) -> None:
        value = _parsed(payload(frame))
        if value is not None and _RECEIPT in frame[:40]:
            self.receipt = value
        elif value is not None and _HOP in frame[:40]:
            self.hops.append(value)

    @property
    def content(self) -> str:
        """The answer's text. A character whose two UTF-16 halves came in two chunks is one character here."""
        text = self._answer.content
        try:
            text.encode()
        except UnicodeEncodeError:
            return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return text


def _parsed(data: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            value = json.loads(data)  # takes half a surrogate pair, which is what a chunk may hold
        except ValueError:
            return None
    return value if isinstance(value, dict) else None
