"""Pauses between attempts at something that is away for a while: a gateway, a database."""

from __future__ import annotations

import asyncio
import random

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0


class Patience:
    """Pauses that double, with jitter, until too much time has passed without progress."""

    def __init__(self, total_s: float) -> None:
        self._total = total_s
        self._loop = asyncio.get_running_loop()
        self.begin_again()

    def begin_again(self) -> None:
        self._pause = FIRST_PAUSE_S
        self._until: float | None = None

    async def pause(self) -> bool:
        """Waits a moment. Returns False if patience has run out."""
        now = self._loop.time()
        if self._until is None:
            self._until = now + self._total
        if now >= self._until:
            return False
        await asyncio.sleep(self._pause * random.uniform(0.5, 1.0))  # noqa: S311  # jitter, not a secret
        self._pause = min(self._pause * 2, LONGEST_PAUSE_S)
        return True
