"""Work of many callers in one transaction.

A commit costs the same for one caller as for fifty. Those who open or end a call at the same moment share one transaction, one after
the other within it; each may look at what its statements changed and decide. If one of them fails, the others are not touched
by it (`storage.batching`). How a transaction is run is the database's affair: see `store.engine`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from serving.turnstile import ENDS_PER_PASS, Turnstile
from storage.batching import Batcher

Result = TypeVar("Result")

Work = Callable[[Connection], Any]
"""What one caller does in the transaction. It may run twice: a transaction that another caller broke is run again."""

Transact = Callable[[Sequence[Work]], Awaitable[Sequence[Any]]]
"""Runs the work in one transaction and answers each one's result. Raises what one of them raised, having changed nothing."""

Read = Callable[[Work], Awaitable[Any]]
"""Runs work that only reads, and answers its result. Raises what it raises."""


class _Item(Generic[Result]):
    def __init__(self, work: Callable[[Connection], Result]) -> None:
        self.work = work
        self.result: Result


class Writer:
    """The one writer of the database."""

    def __init__(self, transact: Transact) -> None:
        self._transact = transact
        self._batcher: Batcher[_Item[Any]] = Batcher(self._run, Turnstile(ENDS_PER_PASS).enter)

    async def run(self, work: Callable[[Connection], Result]) -> Result:
        """Runs the work in a transaction, perhaps with other callers'; its result, after the commit. Raises what it raises."""
        item = _Item(work)
        await self._batcher.add(item)
        return item.result

    async def _run(self, batch: Sequence[_Item[Any]]) -> None:
        results = await self._transact([item.work for item in batch])
        for item, result in zip(batch, results, strict=True):
            item.result = result
