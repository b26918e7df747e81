"""Starts and ends give way to what is running: only a bounded number of them goes through per pass of the event loop.

An event loop runs everything that is ready before it looks at its sockets again. When a hundred requests arrive together, each with a
millisecond of work before its first await, every chunk of every running stream waits for all of them. Behind a turnstile they go one by
one, and between two of them the loop serves the sockets.
"""

from __future__ import annotations

import asyncio
from collections import deque

ENDS_PER_PASS = 4
"""An end takes a fraction of a millisecond. One that waits for others on its way to the database shares their transaction."""


class Turnstile:
    """Lets `per_pass` callers through in each pass of the event loop, first come, first served."""

    def __init__(self, per_pass: int = 1) -> None:
        self._per_pass = per_pass
        self._passed = 0
        self._turning = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Returns at once if this pass still has room, otherwise in a later pass."""
        loop = asyncio.get_running_loop()
        if not self._turning:
            self._turning = True
            loop.call_soon(self._turn, loop)
        if self._passed < self._per_pass and not self._waiting:
            self._passed += 1
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._passed = 0
        while self._waiting and self._passed < self._per_pass:
            turn = self._waiting.popleft()
            if not turn.done():  # a caller that was cancelled needs no turn
                turn.set_result(None)
                self._passed += 1
        self._turning = bool(self._waiting) or self._passed > 0
        if self._turning:
            loop.call_soon(self._turn, loop)
