"""The log of one stream: written once, read by anyone, from any index, as often as they like.

Strategy. The producer outlives its readers, so what it writes goes into a log and not to a connection. A frame's index in the
log is its `id` on the wire; resuming is reading from an index. A reader takes everything that is there at once, so a reader that
fell behind catches up in one write instead of in many, and the producer never waits for a reader: what bounds a log is the number
of bytes it may hold. How a stream ended is a value beside the frames, an `Ending`, which every reader meets after the last frame;
it carries the frames without an id (a lower hop's `hop`, and the terminal one) that no index may count.

`StreamLog` is what producers and readers rely on; `MemoryLog` keeps one process's streams.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

DEFAULT_MAX_LOG_BYTES = 32 * 1024 * 1024
CLOSING_BYTES = 1024 * 1024
"""More than what the closing frames of a stream come to: a log that copies another's frames has room for these too."""
MAX_TAKE_BYTES = 256 * 1024


class Outcome(Enum):
    """How a call or a turn ended. The values are the states of the specification."""

    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a stream: its outcome, and the frames without ids that every reader receives last."""

    outcome: Outcome
    trailer: bytes


class LogFull(Exception):
    """The stream has reached the number of bytes its log may hold; the frames of this append were not taken."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"a stream log may hold {limit} bytes")
        self.limit = limit


class LogEnded(Exception):
    """An append or a second end came after the end: the producer's mistake."""


class Reader(ABC):
    """One reader's place in a log. It belongs to one task."""

    index: int
    """The index of the next frame it will take."""

    @abstractmethod
    def take(self) -> list[bytes]:
        """The frames from `index` on that are there now, at most about 256 KiB of them (one at least), and steps past them."""

    @abstractmethod
    async def wait(self, deliver: Callable[[], bool] | None = None) -> None:
        """Returns as soon as there is something to take, the log has ended, or `wake` was called.

        With `deliver`, frames that arrive meanwhile need not wait until this task gets its turn: it is called for them within the
        append. It takes what one `take` gives and hands it on; while it says that this has gone, and nothing is left to take, the wait
        goes on. It must not raise.
        """

    @abstractmethod
    def wake(self) -> None:
        """Ends a `wait` that is under way, or else the next one: for the owner's own reasons (its client left, a ping is due)."""

    @abstractmethod
    def close(self) -> None:
        """Leaves the log. Closing twice is allowed."""


class StreamLog(ABC):
    """What the producer writes and readers follow."""

    @abstractmethod
    def append(self, frames: Sequence[bytes], *, closing: bool = False) -> None:
        """Adds whole frames at the end and wakes the readers once. Raises LogFull or LogEnded, taking none of them.

        `closing` frames, which belong to the stream's end (what it cost, how long it took), are taken by a full log too.
        """

    @abstractmethod
    def end(self, ending: Ending) -> None:
        """Closes the log for writing and lets readers meet the ending. Raises LogEnded the second time."""

    @abstractmethod
    def reader(self, index: int = 0) -> Reader:
        """A reader from this index on, which may lie beyond what is there yet. Raises ValueError below 0."""

    @abstractmethod
    def frames(self, start: int = 0, stop: int | None = None) -> Sequence[bytes]:
        """The frames that are there, from `start` up to `stop`."""

    @abstractmethod
    def __len__(self) -> int:
        """How many frames there are."""

    @property
    @abstractmethod
    def size(self) -> int:
        """How many bytes the frames are together."""

    @property
    @abstractmethod
    def ending(self) -> Ending | None:
        """How the stream ended; None while it goes on."""

    @property
    @abstractmethod
    def readers(self) -> int:
        """How many readers are in the log now."""

    @property
    @abstractmethod
    def unread_since(self) -> float | None:
        """The `time.monotonic()` at which the last reader left (or the log began); None while there is one."""


class MemoryLog(StreamLog):
    """A log in this process's memory."""

    def __init__(self, *, max_bytes: int = DEFAULT_MAX_LOG_BYTES) -> None:
        self._frames: list[bytes] = []
        self._size = 0
        self._limit = max_bytes
        self._ending: Ending | None = None
        self._readers: list[_MemoryReader] = []
        self._unread_since: float | None = time.monotonic()

    def append(self, frames: Sequence[bytes], *, closing: bool = False) -> None:
        if self._ending is not None:
            raise LogEnded("the stream has ended")
        size = self._size
        for frame in frames:
            size += len(frame)
        if size > self._limit and not closing:
            raise LogFull(self._limit)
        self._size = size
        self._frames.extend(frames)
        there = len(self._frames)
        for reader in self._readers:
            if reader.index < there:
                reader.arrived()

    def end(self, ending: Ending) -> None:
        if self._ending is not None:
            raise LogEnded("the stream has ended already")
        self._ending = ending
        for reader in self._readers:
            reader.notify()

    def reader(self, index: int = 0) -> Reader:
        if index < 0:
            raise ValueError("an index is not negative")
        reader = _MemoryReader(self, index)
        self._readers.append(reader)
        self._unread_since = None
        return reader

    def frames(self, start: int = 0, stop: int | None = None) -> Sequence[bytes]:
        return self._frames[start:stop]

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def size(self) -> int:
        return self._size

    @property
    def ending(self) -> Ending | None:
        return self._ending

    @property
    def readers(self) -> int:
        return len(self._readers)

    @property
    def unread_since(self) -> float | None:
        return self._unread_since

    def _leave(self, reader: _MemoryReader) -> None:
        if reader in self._readers:
            self._readers.remove(reader)
            if not self._readers:
                self._unread_since = time.monotonic()


class _MemoryReader(Reader):
    __slots__ = ("_deliver", "_log", "_waiter", "_woken", "index")

    def __init__(self, log: MemoryLog, index: int) -> None:
        self.index = index
        self._log = log
        self._woken = False
        self._waiter: asyncio.Future[None] | None = None
        self._deliver: Callable[[], bool] | None = None

    def take(self) -> list[bytes]:
        frames = self._log._frames
        start, there = self.index, len(frames)
        if start >= there:
            return []
        if there - start == 1:
            self.index = there
            return [frames[start]]
        stop, size = start + 1, len(frames[start])
        while stop < there and size + len(frames[stop]) <= MAX_TAKE_BYTES:
            size += len(frames[stop])
            stop += 1
        self.index = stop
        return frames[start:stop]

    async def wait(self, deliver: Callable[[], bool] | None = None) -> None:
        log = self._log
        if self._woken or self.index < len(log._frames) or log._ending is not None:
            self._woken = False
            return
        self._waiter = asyncio.get_running_loop().create_future()
        self._deliver = deliver
        try:
            await self._waiter
        finally:
            self._waiter = self._deliver = None
            self._woken = False

    def wake(self) -> None:
        self._woken = True
        self.notify()

    def notify(self) -> None:
        """Ends a `wait` that is under way, and only that: what there is to take speaks for itself to the next one."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def arrived(self) -> None:
        """There are new frames: hands them on where the wait allows it, and otherwise ends it."""
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        deliver = self._deliver
        if deliver is None or not deliver() or self.index < len(self._log._frames):
            waiter.set_result(None)

    def close(self) -> None:
        self._log._leave(self)
