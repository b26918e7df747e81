"""Small writes of many callers, gathered into one transaction each.

A commit costs the same for one row as for fifty. While one transaction is under way, the writes that come in wait and go together into
the next one (`storage.batching`), so a hundred turns that begin at once cost a few transactions. Where a gathered transaction fails,
only the write at fault hears of it. How a transaction is run is the database's affair: see `store.engine`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from client_server.store.prepared import Prepared
from serving.turnstile import ENDS_PER_PASS, Turnstile
from storage.batching import Batcher

Statement = tuple[Prepared, Sequence[dict[str, Any]]]
"""A statement, always the same object for the same kind of write, and the parameters of each row."""

Transact = Callable[[Sequence[Statement]], Awaitable[None]]
"""Runs the statements in one transaction. Raises SQLAlchemyError or OSError, having changed nothing."""


class Batch:
    """The one writer of a database."""

    def __init__(self, transact: Transact) -> None:
        self._transact = transact
        self._batcher: Batcher[Sequence[Statement]] = Batcher(self._run, Turnstile(ENDS_PER_PASS).enter)

    async def write(self, *statements: Statement) -> None:
        """Returns when these statements, in their order, have been committed together. Raises SQLAlchemyError."""
        await self._batcher.add(statements)

    async def _run(self, writes: Sequence[Sequence[Statement]]) -> None:
        await self._transact(_merged(writes))


def _merged(writes: Sequence[Sequence[Statement]]) -> list[Statement]:
    """First statements first, the same ones together: each write keeps its order, and equal statements share one execution."""
    merged: list[Statement] = []
    for step in range(max(map(len, writes))):
        together: dict[Prepared, list[dict[str, Any]]] = {}
        for statements in writes:
            if step < len(statements):
                statement, rows = statements[step]
                together.setdefault(statement, []).extend(rows)
        merged.extend(together.items())
    return merged
