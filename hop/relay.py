"""How a chunk gets out of a hop: from a stream's log to its reader, unchanged and at once.

Strategy. One loop: take what is there, write it at once, wait for more. Nothing stands between the log and the reader's sink: no generator,
no queue, no task per frame. While the loop waits, a frame does not even need this task's next turn. The append calls `deliver`, which
writes the frame in the same turn of the event loop in which it came in. Two things watch the loop from the side. A task waits for the
reader to leave and then wakes the loop, even while it waits for a silent model. A timer fires every few seconds. After a silence it asks
for a ping. It also cancels a write that has been stuck for too long because its reader is connected but does not read.

A write to a reader that has left may return without suspending. A loop of such writes would never let the event loop notice, so a relay
that catches up on a long log yields between two writes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from types import CoroutineType, coroutine
from typing import Any, Protocol

from wire.log import Reader, StreamLog
from wire.sse import PING
from wire.timing import HopMarks, now_ns

Translate = Callable[[Iterable[bytes]], bytes]

logger = logging.getLogger(__name__)

PING_AFTER_S = 15.0
SEND_TIMEOUT_S = 60.0


class Sink(Protocol):
    """Where a relay writes: one reader's connection, whatever transport carries it.

    The first step of `write` may run within an append, outside of any task, so it must not ask for the current task.
    """

    def begin(self) -> Awaitable[None]:
        """Tells the reader that the stream is there, before its first frame."""

    def write(self, data: bytes) -> Awaitable[None]:
        """Writes whole frames, and returns once the transport has taken them."""

    def finish(self, data: bytes) -> Awaitable[None]:
        """Writes the last frames and ends the stream."""

    async def left(self) -> None:
        """Returns once the reader has left."""


async def relay(
    log: StreamLog,
    index: int,
    sink: Sink,
    *,
    marks: HopMarks | None = None,
    translate: Translate | None = None,
    ping_after_s: float = PING_AFTER_S,
    send_timeout_s: float = SEND_TIMEOUT_S,
    ping: bytes = PING,
) -> None:
    """Writes the log from `index` on, and then its trailer. Returns at the end, or when the reader has left.

    `marks` are told of every departure. `translate` turns whole frames (and the trailer) into another dialect; an empty result is not
    written. `ping` is written after a silence of `ping_after_s`, always between two whole frames.
    """
    reader = log.reader(index)
    watch = _Delivery(reader, sink, marks, translate, ping_after_s, send_timeout_s)
    try:
        await watch.start()
        while not watch.gone:
            if watch.unfinished is not None:
                await watch.finish()
                if marks is not None:
                    marks.departed(reader.index, watch.since)
            elif reader.index < len(log):
                if watch.deliver(reader.take()) and reader.index < len(log):
                    await asyncio.sleep(0)  # more is left than one write may take: others have their turn
            elif log.ending is not None:
                trailer = log.ending.trailer
                await watch.send(sink.finish(translate([trailer]) if translate else trailer))
                return
            elif watch.ping_due:
                await watch.send(sink.write(ping))
            else:
                await reader.wait(watch.deliver)
    except asyncio.CancelledError:
        if not watch.let_go():
            raise
        logger.warning("a reader took nothing for %.0f s and was let go", send_timeout_s)
    finally:
        reader.close()
        watch.stop()


class _Delivery:
    """One relay's writes, and what may end or interrupt its waiting: the reader left, a ping is due, a write is stuck.

    What each chunk needs stands in this one object, near together in memory.
    """

    __slots__ = (
        "_leaving",
        "_loop",
        "_marks",
        "_ping_after",
        "_reader",
        "_send_timeout",
        "_sending",
        "_sink",
        "_steps",
        "_task",
        "_timer",
        "_translate",
        "_write",
        "gone",
        "last",
        "ping_due",
        "since",
        "stuck",
        "unfinished",
    )

    def __init__(
        self, reader: Reader, sink: Sink, marks: HopMarks | None, translate: Translate | None, ping_after_s: float, send_timeout_s: float
    ) -> None:
        self._reader = reader
        self._sink = sink
        self._write = sink.write
        self._marks = marks
        self._translate = translate
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._ping_after = ping_after_s
        self._send_timeout = send_timeout_s
        self._steps = _steps()
        self._steps.send(None)
        self._sending = False
        self.last = self.since = now_ns()
        """When the last write began, and since when the reader has been there."""
        self._timer: asyncio.TimerHandle | None = None
        self._leaving: asyncio.Task[None] | None = None
        self.unfinished: Awaitable[None] | None = None
        """A write that was not completed at once: the transport waits for the reader to take what it has."""
        self.gone = self.ping_due = self.stuck = False

    async def start(self) -> None:
        """Tells the reader that the stream is there."""
        self._leaving = self._loop.create_task(self._until_left(self._sink))
        self._timer = self._loop.call_later(min(self._ping_after, self._send_timeout), self._look)
        await self.send(self._sink.begin())
        self.since = now_ns()

    def deliver(self, frames: Sequence[bytes]) -> bool:
        """Writes frames that the reader has taken, within the caller's turn. Returns whether all of it has gone."""
        translate = self._translate
        try:
            body = translate(frames) if translate else frames[0] if len(frames) == 1 else b"".join(frames)
        except Exception as error:
            self.fail(error)
            return False
        at = self.last = now_ns()
        write = self._write
        if body and not self.begin(write(body)):
            return False
        if (marks := self._marks) is not None:
            marks.departed(self._reader.index, self.since, at)
        return True

    def stop(self) -> None:
        """Stops and drops everything. The tasks too: each refers to this watch, and the cycle would wait for the garbage collector."""
        if self._timer is not None:
            self._timer.cancel()
        if self._leaving is not None:
            self._leaving.cancel()
        self._timer = self._leaving = self._task = self.unfinished = None
        self._steps.close()

    async def send(self, write: Awaitable[None]) -> None:
        """Writes to the end, however long that takes."""
        self.last = now_ns()
        if not self.begin(write):
            await self.finish()

    def begin(self, write: Awaitable[None]) -> bool:
        """Writes as much as it can without waiting. Returns whether that was all; if not, `finish` must come before the next."""
        try:
            awaited = self._steps.send(write if type(write) is CoroutineType else write.__await__())
        except Exception as error:
            self.fail(error)
            return False
        if awaited is _GONE:
            self.ping_due = False
            return True
        self.unfinished = _Rest(self._steps, awaited)
        self._sending = True
        return False

    def fail(self, error: Exception) -> None:
        """Makes `finish` raise this error: it is the relay's, and not that of the code that appended the frames."""
        self.unfinished = _raising(error)

    async def finish(self) -> None:
        """Waits until the pending write has gone. Raises what it raises."""
        if self.unfinished is not None:
            await self.unfinished
        self.unfinished = None
        self._sending = self.ping_due = False

    def let_go(self) -> bool:
        """Whether only the watch itself has cancelled this task. If so, the cancellation is taken back."""
        return self.stuck and self._task is not None and self._task.uncancel() == 0

    async def _until_left(self, sink: Sink) -> None:
        await sink.left()
        self.gone = True
        self._reader.wake()

    def _look(self) -> None:
        silent = (now_ns() - self.last) / 1e9
        if self._sending and silent >= self._send_timeout and self._task is not None:
            self.stuck = True
            self._task.cancel()
            return
        if not self._sending and silent >= self._ping_after:
            self.ping_due = True
            self._reader.wake()
            silent = 0.0
        due = self._send_timeout - silent if self._sending else min(self._ping_after - silent, self._send_timeout)
        self._timer = self._loop.call_later(max(0.05, due), self._look)


_GONE = object()
"""What `_steps` yields when a write is complete."""


@coroutine
def _steps() -> Generator[Any, Any, None]:
    """Takes the steps of one write after the other, outside of any task: `send` it a write, or what the last step was waiting for.

    It yields what the write is waiting for, or `_GONE`. If each write were stepped by itself, its end would be a StopIteration: for every
    chunk an exception and a traceback.
    """
    awaited: Any = _GONE
    while True:
        write = yield awaited
        yield from write


class _Rest:
    """The rest of a write that was begun outside of any task, in a form that a task can await.

    It begins with what the write was already waiting for.
    """

    def __init__(self, steps: Generator[Any, Any, None], awaited: Any) -> None:
        self._steps = steps
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, None]:
        awaited = self._awaited
        while awaited is not _GONE:
            try:
                value = yield awaited
            except BaseException as error:
                awaited = self._steps.throw(error)
            else:
                awaited = self._steps.send(value)


async def _raising(error: Exception) -> None:
    raise error
