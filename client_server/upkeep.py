"""Keeps the number of sessions bounded: removes what nobody comes back to.

A session exists in the database once it has a turn. A page sets the cookie before its first message, so that message brings it. A client
that keeps no cookies begins a session with every message, and can never come back to it. Those sessions go first: after a day, or as soon
as there are too many. They go in small portions, because each portion is a write that others wait for.
"""

from __future__ import annotations

import asyncio
import logging
import time
from types import TracebackType
from typing import Self

from client_server.sessions import Session
from client_server.store import Store
from wire.errors import ErrorCode, WireError

logger = logging.getLogger(__name__)

EVERY_S = 60.0
PORTION = 50
PAUSE_S = 0.05
_SLACK = 0.1
"""Removal may lag behind by this part of the bound before new sessions are refused."""
_RETRY_AFTER_S = 30.0


class Upkeep:
    """Counts sessions and removes old ones. Use it as an async context manager.

    `most`: how many there may be. `unused_s`: how long one is kept whose cookie has not come back. `retention_s`: how long any is kept
    after its last message.
    """

    def __init__(self, store: Store, *, most: int, unused_s: float, retention_s: float) -> None:
        self._store = store
        self._most = most
        self._unused_s = unused_s
        self._retention_s = retention_s
        self._count = 0
        self._crowded = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._count = await self._store.count_sessions()
        self._task = asyncio.get_running_loop().create_task(self._run())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def admit(self, session: Session) -> None:
        """Counts a session that is about to begin. Raises WireError RATE_LIMITED if there are too many that cannot be removed."""
        if not session.fresh:
            return
        if self._count >= self._most * (1 + _SLACK):
            raise WireError(ErrorCode.RATE_LIMITED, "There are too many sessions: no new one can begin now.", retry_after=_RETRY_AFTER_S)
        self._count += 1
        if self._count > self._most:
            self._crowded.set()

    async def _run(self) -> None:
        while True:
            try:
                await self.remove()
            except Exception:
                logger.exception("old sessions could not be removed; the next try is in %.0f s", EVERY_S)
            self._crowded.clear()
            if self._count > self._most:
                await asyncio.sleep(1.0)
                continue
            try:
                async with asyncio.timeout(EVERY_S):
                    await self._crowded.wait()
            except TimeoutError:
                pass

    async def remove(self) -> None:
        """Removes what is too old and, if there are too many sessions, those whose cookie has not come back."""
        now = time.time()
        while await self._portion(returned=False, before=now - self._unused_s):
            pass
        while await self._portion(returned=True, before=now - self._retention_s):
            pass
        self._count = await self._store.count_sessions()
        while self._count > self._most and await self._portion(returned=False, before=now):
            self._count = await self._store.count_sessions()

    async def _portion(self, *, returned: bool, before: float) -> bool:
        """Removes one portion. Returns whether there may be more."""
        removed = await self._store.remove_sessions(returned=returned, before=before, limit=PORTION)
        await asyncio.sleep(PAUSE_S)
        return removed == PORTION
