"""Writes of many callers in one transaction.

A transaction costs ten trips to the database's thread and one commit, whatever is in it. Calls that open or end at the same moment
share one: their steps are gathered by statement and each statement runs once, with all its rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncEngine

from wire.batching import Batcher

Step = tuple[Executable, Mapping[str, Any]]


class Writer:
    """Runs steps whose outcome is all or nothing, and that need no answer from the database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
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
        async with self._engine.begin() as connection:
            for statement, parameters in rows.items():
                await connection.execute(statement, parameters)
