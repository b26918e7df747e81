"""The log of one stream: written once, and read by any number of readers from any index, as often as they like.

Strategy. The producer outlives its readers, so it writes into a log and not to a connection. A frame's index in the log is its
`id` on the wire, so resuming means reading from an index. A reader takes all available frames at once, so a slow reader
catches up in one write instead of many. The producer never waits for a reader; a limit on the log's bytes bounds its memory.
An `Ending`, kept beside the frames, says how the stream ended. Every reader receives it after the last frame. It carries the frames
that have no id: a lower hop's `hop` frame and the terminal frame.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

DEFAULT_MAX_LOG_BYTES = 32 * 1024 * 1024
CLOSING_BYTES = 1024 * 1024
"""More than the closing frames of a stream need. A log that copies another one reserves this much for them."""
MAX_TAKE_BYTES = 256 * 1024
FRAME_OVERHEAD = 64
"""The bytes that a frame takes beside its own: 33 of the object, 8 in the list, and 16 of its marks, rounded up."""
COUNTED_EVERY = 4096
"""A log looks at its limits, and tells its account, whenever it has grown by so many bytes: for each chunk it would cost too much."""


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
    """The log has reached its limit of bytes, and none of the frames of this append were added."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"a stream log may hold {limit} bytes")
        self.limit = limit


class LogEnded(Exception):
    """The producer appended to, or ended, a log that had already ended. This is a bug in the producer."""


class Account:
    """Counts the bytes that several logs take together. `exceeded` is called when they are more than `mark`."""

    __slots__ = ("held", "mark")

    def __init__(self, *, mark: int) -> None:
        self.held = 0
        self.mark = mark

    def exceeded(self) -> None:
        """Makes room or moves the mark. What it raises keeps the frames out of the log."""
        raise NotImplementedError


class StreamLog:
    """The producer writes it and readers follow it. It lives in the memory of one process. `account` counts what it takes."""

    __slots__ = ("_counted", "_frames", "_limit", "_mark", "_readers", "account", "ending", "size", "unread_since")

    def __init__(self, *, max_bytes: int = DEFAULT_MAX_LOG_BYTES, account: Account | None = None) -> None:
        self.size = 0
        """The total bytes of all frames."""
        self.ending: Ending | None = None
        """How the stream ended; None while it goes on."""
        self.unread_since: float | None = time.monotonic()
        """The `time.monotonic()` at which the last reader left (or the log began); None while there is a reader."""
        self.account = account
        self._frames: list[bytes] = []
        self._limit = max_bytes
        self._mark = 0
        """The size beyond which `_grow` looks at the limits."""
        self._counted = 0
        """The part of `held` that the account has."""
        self._readers: list[Reader] = []

    def append(self, frames: Sequence[bytes], *, closing: bool = False) -> None:
        """Adds whole frames at the end and wakes the readers once.

        Raises LogFull, LogEnded, or what the account raises, and then adds none of the frames. `closing` frames belong to the stream's
        end (what it cost, how long it took). A full log accepts them too.
        """
        if self.ending is not None:
            raise LogEnded("the stream has ended")
        size = self.size
        for frame in frames:
            size += len(frame)
        small = size <= self._mark or self._grow(size, len(frames), closing)
        self.size = size
        first = len(self._frames)
        self._frames.extend(frames)
        for reader in self._readers:
            if small:
                reader.arrived(first, frames)
            else:
                reader.notify()

    def _grow(self, size: int, added: int, closing: bool) -> bool:
        """Checks the limits for an append of so many frames, and counts it. Returns whether a reader may be given it in one piece."""
        if size > self._limit and not closing:
            raise LogFull(self._limit)
        self._count(size + FRAME_OVERHEAD * (len(self._frames) + added), closing)
        self._mark = min(size + COUNTED_EVERY, max(size, self._limit))
        return size - self.size <= MAX_TAKE_BYTES

    def _count(self, held: int, closing: bool) -> None:
        account = self.account
        if account is None:
            return
        grown = held - self._counted
        account.held += grown
        if account.held > account.mark and not closing:
            try:
                account.exceeded()
            except BaseException:
                account.held -= grown
                raise
        self._counted = held

    def settle(self) -> int:
        """Tells the account all that it holds. Returns that."""
        self._count(self.held, True)
        return self.held

    def end(self, ending: Ending) -> None:
        """Closes the log for writing and gives readers the ending. Raises LogEnded the second time."""
        if self.ending is not None:
            raise LogEnded("the stream has ended already")
        self.ending = ending
        for reader in self._readers:
            reader.notify()

    def expire(self, trailer: bytes) -> None:
        """Lets the frames of an ended log go. Readers that have not read all of them get `trailer` instead of the end."""
        if self.ending is None:
            raise ValueError("the stream has not ended")
        self.ending = Ending(self.ending.outcome, trailer)
        self._frames = []
        self.size = 0
        for reader in self._readers:
            reader.notify()

    @property
    def held(self) -> int:
        """The bytes that it takes in memory."""
        return self.size + FRAME_OVERHEAD * len(self._frames)

    def reader(self, index: int = 0) -> Reader:
        """A reader from this index on. The index may lie beyond the last frame. Raises ValueError if it is negative."""
        if index < 0:
            raise ValueError("an index is not negative")
        reader = Reader(self, index)
        self._readers.append(reader)
        self.unread_since = None
        return reader

    def frames(self, start: int = 0, stop: int | None = None) -> Sequence[bytes]:
        """The frames so far, from `start` up to `stop`."""
        return self._frames[start:stop]

    def __len__(self) -> int:
        """How many frames there are."""
        return len(self._frames)

    @property
    def readers(self) -> int:
        """How many readers the log has now."""
        return len(self._readers)

    def _leave(self, reader: Reader) -> None:
        if reader in self._readers:
            self._readers.remove(reader)
            if not self._readers:
                self.unread_since = time.monotonic()


class Reader:
    """One reader's place in a log. It belongs to one task."""

    __slots__ = ("_deliver", "_log", "_waiter", "_woken", "index")

    def __init__(self, log: StreamLog, index: int) -> None:
        self.index = index
        """The index of the next frame it will take."""
        self._log = log
        self._woken = False
        self._waiter: asyncio.Future[None] | None = None
        self._deliver: Callable[[Sequence[bytes]], bool] | None = None

    def take(self) -> list[bytes]:
        """Takes the next frames and moves past them: at most about 256 KiB, but at least one frame if there is one."""
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

    async def wait(self, deliver: Callable[[Sequence[bytes]], bool] | None = None) -> None:
        """Returns as soon as there is something to take, the log has ended, or `wake` was called.

        With `deliver`, frames that arrive meanwhile need not wait for this task to run: the append takes them for this reader and calls
        `deliver` with them at once, unless they are more than `take` would return. As long as it returns True (they are sent), the wait
        goes on. It must not raise.
        """
        log = self._log
        if self._woken or self.index < len(log._frames) or log.ending is not None:
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
        """Ends the current `wait`, or else the next one, for a reason of the owner's: its client left, or a ping is due."""
        self._woken = True
        self.notify()

    def notify(self) -> None:
        """Ends the current `wait` only. The next `wait` checks for itself whether there are frames to take."""
        self._deliver = None  # frames that arrive from here on are the task's
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def arrived(self, first: int, frames: Sequence[bytes]) -> None:
        """Called with new frames, the first of which has this index: delivers them if the wait has a `deliver`, or else ends the wait."""
        deliver = self._deliver
        if deliver is not None and self.index == first:
            self.index = first + len(frames)
            if not deliver(frames):
                self.notify()
        elif self.index < first + len(frames):
            self.notify()

    def close(self) -> None:
        """Leaves the log. Closing twice is allowed."""
        self._log._leave(self)
