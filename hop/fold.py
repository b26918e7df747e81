"""What the frames of a log add up to: the answer, its receipt, its hops.

Frames are parsed when text is stored and when a stream ends, never while a chunk passes through.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, cast

from hop.json import read_object, read_objects
from wire.accumulate import Accumulator
from wire.frames import payload
from wire.log import StreamLog
from wire.records import HopRecord, Receipt

FRAMES_AT_ONCE = 50
"""How many frames are parsed before the event loop gets a turn: about 0.2 ms of work."""

_RECEIPT = b"event: receipt\n"
_HOP = b"event: hop\n"


class Fold:
    """The frames of one log from `start` on, folded as far as `index`."""

    __slots__ = ("answer", "first_token", "hops", "index", "receipt", "unreadable")

    def __init__(self, start: int = 0) -> None:
        self.index = start
        self.answer = Accumulator()
        self.first_token: int | None = None
        """The index of the first chunk that carries text, reasoning, a refusal or a tool call."""
        self.unreadable = 0
        """How many chunks were not JSON."""
        self.receipt: Receipt | None = None
        self.hops: list[HopRecord] = []

    async def follow(self, log: StreamLog) -> None:
        """Takes what the log holds beyond `index`, and lets other streams have their turn in between."""
        self.take(log.frames(self.index, self.index + FRAMES_AT_ONCE))
        while self.index < len(log):
            await asyncio.sleep(0)
            self.take(log.frames(self.index, self.index + FRAMES_AT_ONCE))

    def take(self, frames: Sequence[bytes]) -> None:
        """Takes the next frames of the log. One that is not JSON is skipped: the reader has it, and the text goes on without it."""
        chunks: list[bytes] = []
        places: list[int] = []
        for place, frame in enumerate(frames, self.index):
            start = frame.find(b"\n") + 1
            if frame.startswith(b"data: ", start):
                chunks.append(frame[start + 6 : -2])
                places.append(place)
            else:
                self._take_event(frame)
        self.index += len(frames)
        rest = iter(read_objects(chunks))
        if self.first_token is None:
            self._find_first_token(rest, places)
        add = self.answer.add
        for chunk in rest:
            if chunk is None:
                self.unreadable += 1
            else:
                add(chunk)

    def _find_first_token(self, chunks: Iterator[dict[str, Any] | None], places: Sequence[int]) -> None:
        """Takes chunks up to the first one that carries something."""
        for place, chunk in zip(places, chunks, strict=False):
            if chunk is None:
                self.unreadable += 1
            else:
                self.answer.add(chunk)
                if self.answer.deltas:
                    self.first_token = place
                    return

    def _take_event(self, frame: bytes) -> None:
        value = read_object(payload(frame))
        if value is not None and _RECEIPT in frame[:40]:
            self.receipt = cast(Receipt, value)
        elif value is not None and _HOP in frame[:40]:
            self.hops.append(cast(HopRecord, value))

    @property
    def content(self) -> str:
        """The answer's text so far."""
        return self.answer.content
