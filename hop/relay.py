"""The way of a chunk out of a hop: from a stream's log to an ASGI server, as it is, as soon as it is there.

Strategy. One loop: take what is there, write it at once, wait for more. Nothing stands between the log and the server's
`send`: no generator, no queue, no task per frame. While it waits, a frame does not even need this task's next turn: the append itself
calls `deliver`, which writes it, in the same turn of the event loop in which it came in. Two things watch the loop from the side. A
task waits for the client to leave and wakes the loop, also while it waits for a silent model. A timer looks in every few seconds: after
silence it asks for a ping, and a `send` that has been stuck for too long (the client is there and does not read) it cancels.

Known to be needed: a `send` to a client that has left returns without suspending, so a loop of sends alone would never let the event
loop find out; whoever catches up on a long log gives way between two writes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator, Iterable, MutableMapping
from functools import partial
from typing import Any

from wire.log import Reader, StreamLog
from wire.sse import PING
from wire.timing import HopMarks, now_ns

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
Translate = Callable[[Iterable[bytes]], bytes]

logger = logging.getLogger(__name__)

PING_AFTER_S = 15.0
SEND_TIMEOUT_S = 60.0

STREAM_HEADERS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]
"""What every event stream says to the proxies around it."""


async def relay(
    log: StreamLog,
    index: int,
    receive: Receive,
    send: Send,
    *,
    write: Send | None = None,
    headers: Headers | None = None,
    marks: HopMarks | None = None,
    translate: Translate | None = None,
    preface: bytes = b"",
    ping_after_s: float = PING_AFTER_S,
    send_timeout_s: float = SEND_TIMEOUT_S,
) -> None:
    """Writes the log from `index` on, and then its trailer, as the response. Returns at the end, or when the client has left.

    A body's first step may run within an append, outside of any task, so `write` must not ask for the current one (uvicorn's does not).
    `send` begins the response, `write` (the server's own `send`, where there are middlewares in between) carries its body.
    `marks` are told of every departure. `translate` turns whole frames (and the trailer) into another dialect; an empty
    result is not written. `preface` is written with the headers' first byte, before any frame.
    """
    reader = log.reader(index)
    watch = _Watch(reader, ping_after_s, send_timeout_s)
    carry = write or send

    def deliver() -> bool:
        """Takes what is there and writes it, within whatever called; whether it has gone."""
        frames = reader.take()
        try:
            body = translate(frames) if translate else frames[0] if len(frames) == 1 else b"".join(frames)
        except Exception as error:
            watch.fail(error)
            return False
        at = now_ns()
        if body and not watch.send_at_once(carry, _body(body)):
            return False
        if marks is not None:
            marks.departed(reader.index, since, at)
        return True

    try:
        watch.start(receive)
        await watch.send(send, {"type": "http.response.start", "status": 200, "headers": STREAM_HEADERS + (headers or [])})
        await watch.send(carry, _body(preface))  # an empty body flushes the headers
        since = now_ns()
        while not watch.gone:
            if watch.unfinished is not None:
                await watch.finish()
                if marks is not None:
                    marks.departed(reader.index, since)
            elif reader.index < len(log):
                if deliver() and reader.index < len(log):
                    await asyncio.sleep(0)  # there is more than one write may take: others have their turn
            elif log.ending is not None:
                trailer = log.ending.trailer
                await watch.send(carry, _body(translate([trailer]) if translate else trailer, more=False))
                return
            elif watch.ping_due:
                await watch.send(carry, _body(PING))
            else:
                await reader.wait(deliver)
    except asyncio.CancelledError:
        if not watch.let_go():
            raise
        logger.warning("a reader took nothing for %.0f s and was let go", send_timeout_s)
    finally:
        watch.stop()
        reader.close()


def _body(body: bytes, *, more: bool = True) -> MutableMapping[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


class _Watch:
    """What may end or interrupt a relay's waiting: the client left, a ping is due, a send is stuck."""

    __slots__ = (
        "_last",
        "_loop",
        "_ping_after",
        "_reader",
        "_send_timeout",
        "_sending",
        "_task",
        "_timer",
        "_waiter",
        "gone",
        "ping_due",
        "stuck",
        "unfinished",
    )

    def __init__(self, reader: Reader, ping_after_s: float, send_timeout_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._reader = reader
        self._ping_after = ping_after_s
        self._send_timeout = send_timeout_s
        self._sending = False
        self._last = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._waiter: asyncio.Task[None] | None = None
        self.unfinished: Awaitable[None] | None = None
        """A send that could not go all the way at once: the server waits for the client to take what it has."""
        self.gone = self.ping_due = self.stuck = False

    def start(self, receive: Receive) -> None:
        self._waiter = self._loop.create_task(self._wait_for_disconnect(receive))
        self._timer = self._loop.call_later(min(self._ping_after, self._send_timeout), self._look)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._waiter is not None:
            self._waiter.cancel()

    async def send(self, send: Send, message: MutableMapping[str, Any]) -> None:
        """Sends the message, however long that takes."""
        if not self.send_at_once(send, message):
            await self.finish()

    def send_at_once(self, send: Send, message: MutableMapping[str, Any]) -> bool:
        """Sends the message as far as that goes without waiting; whether that was all the way. If not, `finish` does the rest."""
        self._last = self._loop.time()
        steps = send(message).__await__()
        try:
            awaited = next(steps)
        except StopIteration:
            self.ping_due = False
            return True
        except Exception as error:
            self.fail(error)
        else:
            self.unfinished = _Rest(steps, awaited)
            self._sending = True
        return False

    def fail(self, error: Exception) -> None:
        """Lets `finish` raise this: it is the relay's error, and not of whoever appended the frames."""
        self.unfinished = _raising(error)

    async def finish(self) -> None:
        """Waits until the message that is under way has gone. Raises what its sending raises."""
        if self.unfinished is not None:
            await self.unfinished
        self.unfinished = None
        self._sending = self.ping_due = False

    def let_go(self) -> bool:
        """Whether the cancellation of this task was the watch's own alone; it is then taken back."""
        return self.stuck and self._task is not None and self._task.uncancel() == 0

    async def _wait_for_disconnect(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        self._reader.wake()

    def _look(self) -> None:
        silent = self._loop.time() - self._last
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


class _Rest:
    """What is left of a coroutine that was begun outside of any task, as something that a task can await.

    The first thing that the coroutine waited for is awaited here in its place.
    """

    def __init__(self, steps: Generator[Any, Any, None], awaited: Any) -> None:
        self._steps = steps
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, None]:
        awaited = self._awaited
        while True:
            try:
                value = yield awaited
            except BaseException as error:
                step = partial(self._steps.throw, error)
            else:
                step = partial(self._steps.send, value)
            try:
                awaited = step()
            except StopIteration:
                return


async def _raising(error: Exception) -> None:
    raise error
