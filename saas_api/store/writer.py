"""Writes of many callers in one transaction.

A commit costs the same for one row as for fifty. Calls that open or end at the same moment share one: their steps are gathered by
statement, and each statement runs once, with all its rows. How a transaction is run is the database's affair: see `store.engine`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Executable

from wire.batching import Batcher

Step = tuple[Executable, Mapping[str, Any]]
"""A statement, always the same object for the same kind of step, and its parameters."""

Rows = Mapping[Executable, Sequence[Mapping[str, Any]]]
"""Statements in their order, each with the parameters of all its rows."""

Transact = Callable[[Rows], Awaitable[None]]
"""Runs the statements in one transaction. Raises SQLAlchemyError, having changed nothing."""


class Writer:
    """Runs steps whose outcome is all or nothing, and that need no answer from the database."""

    def __init__(self, transact: Transact) -> None:
        self._transact = transact
        self._batcher: Batcher[Sequence[Step]] = Batcher(self._run)

    async def write(self, *steps: Step) -> None:
        """Runs the steps in this order, in one transaction, perhaps with other callers'. Returns after the commit.

        Raises SQLAlchemyError where the steps themselves fail; then none of them has happened.
        """
        await self._batcher.add(steps)

    async def _run(self, batch: Sequence[Sequence[Step]]) -> None:
        rows: dict[Executable, list[Mapping[str, Any]]] = {}
        for steps in batch:
            for statement, row in steps:
                rows.setdefault(statement, []).append(row)
        await self._transact(rows)
