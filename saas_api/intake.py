"""How a provider's chunks get into a call's log. All of them pass here."""

from __future__ import annotations

from wire.frames import numbered
from wire.log import StreamLog
from wire.timing import HopMarks


class Intake:
    """Takes a provider's frames into a log. A chunk passes here: `take` gets what the socket had, and the append sends it on."""

    __slots__ = ("_arrived", "_index", "_log")

    def __init__(self, log: StreamLog, marks: HopMarks) -> None:
        self._log = log
        self._arrived = marks.arrived
        self._index = len(log)

    def take(self, frames: list[bytes], size: int) -> None:
        self._arrived(len(frames), size)
        index = self._index
        self._index = index + len(frames)
        if len(frames) == 1:
            self._log.append((numbered(index, frames[0]),))
        elif frames:
            self._log.append([numbered(number, frame) for number, frame in enumerate(frames, index)])
