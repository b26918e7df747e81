"""The limits of one session: turns per minute, and event streams open at the same time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter

from client_server.sessions import Session
from wire.errors import ErrorCode, WireError


class SessionLimits:
    """Counts per session, in this process."""

    def __init__(self, *, turns_per_minute: int, open_streams: int) -> None:
        self._per_minute = RateLimitItemPerMinute(turns_per_minute)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._open: Counter[str] = Counter()
        self._most_open = open_streams

    async def count_turn(self, session: Session) -> None:
        """Counts one turn. Raises WireError RATE_LIMITED, with the seconds until the next minute begins."""
        if session.fresh:
            return  # its first request: the id counts only once a request brings the cookie back
        if not await self._limiter.hit(self._per_minute, session.id):
            stats = await self._limiter.get_window_stats(self._per_minute, session.id)
            raise WireError(
                ErrorCode.RATE_LIMITED, "Too many messages in one minute.", retry_after=max(1.0, stats.reset_time - time.time())
            )

    def open_stream(self, session: Session) -> Callable[[], None]:
        """Takes one of the session's places. Call the returned function to give it back. Raises WireError RATE_LIMITED."""
        key = session.id
        if self._open[key] >= self._most_open:
            raise WireError(ErrorCode.RATE_LIMITED, f"This session has {self._most_open} streams open already.", retry_after=1)
        self._open[key] += 1
        taken = [key]

        def close() -> None:
            if taken:
                self._open[taken.pop()] -= 1
                if not self._open[key]:
                    del self._open[key]

        return close
