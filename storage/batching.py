"""Many callers, one run: work that arrives while a run is under way waits for the next, which takes all of it.

Databases call it group commit. A caller that comes alone is served at once; of a hundred that come together, one runs and
ninety-nine ride along. There is no timer, so nobody waits for company. Those who rode together may be let go one by one, by what the
owner hands in as `admit`: what each does next must not become one long step in which nothing else moves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")

MAX_BATCH = 64


class Batcher(Generic[Item]):
    """Hands items to `run`, up to 64 at a time, one run after the other.

    `run` takes all of its items or, by raising, none. A batch that fails is run again item by item, so that an error reaches
    the caller whose item it is, and no other.
    """

    def __init__(self, run: Callable[[Sequence[Item]], Awaitable[None]], admit: Callable[[], Awaitable[None]] | None = None) -> None:
        self._run = run
        self._waiting: list[tuple[Item, asyncio.Future[None]]] = []
        self._worker: asyncio.Task[None] | None = None
        self._admit = admit

    async def add(self, item: Item) -> None:
        """Returns once the item has been run. Raises what its run raised. Cancelling the caller does not take the item back."""
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        self._waiting.append((item, done))
        if self._worker is None:
            self._worker = loop.create_task(self._work())
        await done
        if self._admit is not None:
            await self._admit()

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
                if not await self._attempt(batch) and len(batch) > 1:
                    for single in batch:
                        await self._attempt([single])
        finally:
            self._worker = None

    async def _attempt(self, batch: list[tuple[Item, asyncio.Future[None]]]) -> bool:
        """Runs a batch; whether it succeeded. The error of a batch of one is its caller's."""
        try:
            await self._run([item for item, _ in batch])
        except Exception as error:
            if len(batch) == 1 and not batch[0][1].done():
                batch[0][1].set_exception(error)
            return False
        for _, done in batch:
            if not done.done():
                done.set_result(None)
        return True
