"""A response whose head is here: its body is pushed to a follower as it arrives, or kept for a reader.

Strategy. `follow` hands over each piece within the read that brought it. `read` is for callers that would rather ask. One timer per
response bounds silence by looking at the time of the last read, so no read needs a timeout of its own.

    ExchangeFailed
    ├── ConnectFailed      nobody answered there, so nothing was sent
    ├── ConnectionLost     the connection ended before the response did
    │   └── Unanswered     it had been kept, and the peer closed it with not a byte of a response: sent again, so callers never see it
    ├── PeerSilent         nothing came within the time allowed
    └── PeerUnintelligible what came is not HTTP
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic

SETTLE_S = 0.25
LOOK_S = 1.0
"""How often a response asks whether its body is over although it goes on."""
CLOSE_ON_ITS_WAY_S = 1.0
"""A close that was on its way when a request was written is here after a round trip, and no network needs a second for one. A peer that
closes later had the request, and may have done what it asks for."""
MAX_KEPT_BYTES = 256 * 1024
"""How much of a body is kept unread before `room` waits."""

Sink = Callable[[bytes], bool]
"""Takes a piece of the body. Returns True if it wants no more of it."""


class ExchangeFailed(Exception):
    """A request and its response were not completed."""


class ConnectFailed(ExchangeFailed):
    """No connection could be made."""

    @property
    def reason(self) -> str:
        """Why not: half a sentence for a log. It names host and port and holds no secret."""
        return str(self)


class ConnectionLost(ExchangeFailed):
    """The connection ended in the middle."""


class Unanswered(ConnectionLost):
    """The peer closed a kept connection at the moment at which a request was written to it."""


class PeerSilent(ExchangeFailed):
    """The peer kept silent for too long."""


class PeerUnintelligible(ExchangeFailed):
    """The peer does not speak HTTP as it must."""


class Response:
    """A response whose head is here. One consumer: `follow`, or `read` and `read_all`."""

    __slots__ = (
        "_begun",
        "_close",
        "_ended",
        "_enough",
        "_error",
        "_first_s",
        "_has_begun",
        "_idle_s",
        "_is_over",
        "_kept",
        "_last",
        "_loop",
        "_pieces",
        "_sink",
        "_taken",
        "_timer",
        "_waiter",
        "headers",
        "repeated",
        "status",
    )

    def __init__(self, status: int, headers: Mapping[str, str], close: Callable[[], None]) -> None:
        self.status = status
        self.headers = headers
        """Names in lower case."""
        self.repeated = False
        """Whether the request was sent twice. The first one should not have been read, but nobody can know."""
        self._close = close
        """Closes the connection."""
        self._loop = asyncio.get_running_loop()
        self._pieces: list[bytes] = []
        self._kept = 0
        """How many bytes the pieces hold."""
        self._taken: asyncio.Future[None] | None = None
        """`room` waits for it until the pieces have been taken."""
        self._sink: Sink | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._enough = False
        self._error: Exception | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._first_s = self._idle_s = 0.0
        self._begun = 0.0
        self._has_begun: Callable[[], bool] | None = None
        self._is_over: Callable[[], bool] | None = None
        self._last = 0.0
        """When bytes of the body last came; 0 before the first."""

    def limit_silence(
        self, first_s: float, idle_s: float, has_begun: Callable[[], bool] | None = None, is_over: Callable[[], bool] | None = None
    ) -> None:
        """From now on, allows at most `first_s` until the body begins, and then `idle_s` between any two pieces of it.

        The body begins with its next bytes or, if `has_begun` is given, once that returns True: bytes before that do not count. `has_begun`
        is called when a limit may have been reached, never for each piece. `is_over` is called every `LOOK_S`: if it returns True, the body
        counts as ended, whatever the peer still has to say.
        """
        self._first_s, self._idle_s, self._has_begun, self._is_over = first_s, idle_s, has_begun, is_over
        self._begun = monotonic()
        if not self._ended:
            self._look_in(first_s)

    async def follow(self, sink: Sink) -> None:
        """Hands each piece of the body to `sink` as it arrives; returns at the body's end, or once the sink has enough.

        Raises ExchangeFailed, or what the sink raises, which also closes the connection. Once the sink has enough, the rest of the body is
        read and dropped, so that the connection can be used again.
        """
        self._sink = sink
        for piece in self._take():
            self.arrived(piece)
        await self._wait()

    async def read(self) -> bytes:
        """What has arrived since the last read, as soon as there is something; empty at the end. Raises ExchangeFailed."""
        if not self._pieces:
            await self._wait()
        return b"".join(self._take())

    async def read_all(self, limit: int) -> bytes:
        """The whole body. Raises ExchangeFailed; PeerUnintelligible if it is longer than `limit` bytes."""
        parts: list[bytes] = []
        size = 0
        while data := await self.read():
            parts.append(data)
            size += len(data)
            if size > limit:
                self.close()
                raise PeerUnintelligible(f"the answer exceeds {limit} bytes")
        return b"".join(parts)

    def close(self) -> None:
        """Closes the connection now, unless the sink already has enough. Closing twice is allowed."""
        if not self._enough:
            self._abort()

    def _abort(self) -> None:
        self._stop_timer()
        if not self._ended:
            self._ended = True
            self._close()

    # -- called by the connection --------------------------------------------------------------------------------------

    def arrived(self, piece: bytes) -> None:
        self._last = monotonic()
        sink = self._sink
        if sink is None:
            self._pieces.append(piece)
            self._kept += len(piece)
            self._wake()
            return
        try:
            enough = sink(piece)
        except Exception as error:
            self._fail(error)
            return
        if enough:
            self._has_enough()

    async def room(self) -> None:
        """Returns at once unless too much of the body is unread, and otherwise once that has been read. The body's producer waits here."""
        if self._kept > MAX_KEPT_BYTES:
            self._taken = self._loop.create_future()
            try:
                await self._taken
            finally:
                self._taken = None
                self._last = monotonic()

    def finished(self, error: Exception | None) -> None:
        self._ended = True
        self._error = self._error or error
        self._stop_timer()
        self._wake()

    def _has_enough(self) -> None:
        self._sink = _drop
        self._enough = True
        self._stop_timer()
        self._wake()
        if not self._ended:
            self._loop.call_later(SETTLE_S, self._abort)

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        self._sink = _drop
        self._abort()
        self._wake()

    def _take(self) -> list[bytes]:
        pieces, self._pieces, self._kept = self._pieces, [], 0
        if self._taken is not None and not self._taken.done():
            self._taken.set_result(None)
        return pieces

    async def _wait(self) -> None:
        if not self._ended and not self._enough:
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        error = self._error
        if error is not None and not self._enough:
            # The traceback will refer to this response. If the response kept the error too, the cycle would wait for the collector.
            self._error = type(error)(*error.args) if isinstance(error, ExchangeFailed) else ConnectionLost("the response was given up")
            try:
                raise error
            finally:
                del error

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _look_in(self, seconds: float) -> None:
        """Before the body begins, the timer fires as often as after it: once the body has begun, `idle_s` counts."""
        seconds = min(seconds, self._idle_s)
        self._timer = self._loop.call_later(seconds if self._is_over is None else min(seconds, LOOK_S), self._look)

    def _look(self) -> None:
        if self._is_over is not None and self._is_over():
            self._has_enough()
            return
        if self._taken is not None:
            self._last = monotonic()  # the reader keeps the peer waiting, and not the other way round
        begun = self._last and (self._has_begun is None or self._has_begun())
        allowed, since = (self._idle_s, self._last) if begun else (self._first_s, self._begun)
        due = since + allowed
        if (now := monotonic()) < due:
            self._look_in(due - now)
        else:
            self._fail(PeerSilent(f"nothing came for {allowed:g} s"))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._has_begun = self._is_over = None


def _drop(piece: bytes) -> bool:
    return False
