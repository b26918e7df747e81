"""Counts the passes of the event loop."""

from __future__ import annotations

import asyncio


class Passes:
    """Counts the passes of the event loop with a callback that runs once in each, as a chunk of a running stream might."""

    def __init__(self) -> None:
        self.count = 0
        self._stopped = False
        self._loop = asyncio.get_running_loop()
        self._loop.call_soon(self._again)

    def _again(self) -> None:
        self.count += 1
        if not self._stopped:
            self._loop.call_soon(self._again)

    def stop(self) -> None:
        self._stopped = True
