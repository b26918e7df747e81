"""Small writes of many callers, gathered into one transaction each.

Strategy. A commit costs the same for one row as for fifty. While one transaction is under way, the writes that come in wait and go
together into the next one (group commit), so a hundred turns that begin at once cost a few transactions. Every caller returns when its
own rows are committed. Where a gathered transaction fails, its writes are tried one by one, so that only the one at fault hears of it.
How a transaction is run is the database's affair: see `store.engine`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.exc import SQLAlchemyError

MAX_GATHERED = 64

Statement = tuple[Executable, Sequence[dict[str, Any]]]
"""A statement, always the same object for the same kind of write, and the parameters of each row."""

Transact = Callable[[Sequence[Statement]], Awaitable[None]]
"""Runs the statements in one transaction. Raises SQLAlchemyError or OSError, having changed nothing."""


class Batch:
    """The one writer of a database. `run` must be running for `write` to return."""

    def __init__(self, transact: Transact) -> None:
        self._transact = transact
        self._waiting: list[tuple[Sequence[Statement], asyncio.Future[None]]] = []
        self._there = asyncio.Event()

    async def write(self, *statements: Statement) -> None:
        """Returns when these statements, in their order, have been committed together. Raises SQLAlchemyError."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((statements, done))
        self._there.set()
        await done

    async def run(self) -> None:
        """Commits what is waiting, until it is cancelled."""
        while True:
            await self._there.wait()
            gathered, self._waiting = self._waiting[:MAX_GATHERED], self._waiting[MAX_GATHERED:]
            if not self._waiting:
                self._there.clear()
            await self._commit(gathered)

    async def _commit(self, gathered: Sequence[tuple[Sequence[Statement], asyncio.Future[None]]]) -> None:
        try:
            await self._transact(_merged([statements for statements, _ in gathered]))
        except (SQLAlchemyError, OSError) as error:
            if len(gathered) > 1:
                for one in gathered:
                    await self._commit([one])
                return
            _settle(gathered[0][1], error)
            return
        for _, done in gathered:
            _settle(done, None)


def _merged(writes: Sequence[Sequence[Statement]]) -> list[Statement]:
    """First statements first, the same ones together: each write keeps its order, and equal statements share one execution."""
    merged: list[Statement] = []
    for step in range(max(map(len, writes))):
        together: dict[Executable, list[dict[str, Any]]] = {}
        for statements in writes:
            if step < len(statements):
                statement, rows = statements[step]
                together.setdefault(statement, []).extend(rows)
        merged.extend(together.items())
    return merged


def _settle(done: asyncio.Future[None], error: Exception | None) -> None:
    if done.done():
        return  # its caller was cancelled in the meantime
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
