"""Many callers, one run: work that arrives during a run waits for the next one, which takes all of it.

Databases call this group commit. A caller that comes alone is served at once; callers that come together share a run. There is no timer, so
nobody waits for company. The owner's `admit` can let the callers of one run go on a few at a time. Otherwise, what they do next would be
one long step in which nothing else moves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")

MAX_BATCH = 64


@dataclass(frozen=True, slots=True)
class Refused:
    """The outcome of an item that failed alone: the others of its batch are not affected."""

    error: Exception


class Batcher(Generic[Item]):
    """Hands items to `run`, up to 64 at a time, one run after the other.

    `run` returns one outcome for each item: its result, or `Refused`. If `run` itself raises, every item of the batch gets that error.
    """

    def __init__(
        self, run: Callable[[Sequence[Item]], Awaitable[Sequence[Any]]], admit: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._run = run
        self._admit = admit
        self._waiting: list[tuple[Item, asyncio.Future[Any]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def add(self, item: Item) -> Any:
        """The item's result, once it has been run. Raises its error. Cancelling the caller does not take the item back."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((item, done))
        if self._worker is None:
            self._worker = loop.create_task(self._work())
        try:
            return await done
        finally:
            if self._admit is not None and not done.cancelled():
                await self._admit()

    async def finish(self) -> None:
        """Returns once everything that was added has been run."""
        while self._worker is not None:
            await asyncio.wait([self._worker])

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
                await self._run_batch(batch)
        finally:
            self._worker = None

    async def _run_batch(self, batch: list[tuple[Item, asyncio.Future[Any]]]) -> None:
        try:
            outcomes = await self._run([item for item, _ in batch])
        except Exception as error:
            outcomes = [Refused(error)] * len(batch)
        for (_, done), outcome in zip(batch, outcomes, strict=True):
            if done.done():
                continue  # its caller has left
            if isinstance(outcome, Refused):
                done.set_exception(outcome.error)
            else:
                done.set_result(outcome)
