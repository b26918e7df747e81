"""Works: what callers do with a database, and how several of them share one transaction.

A work is a plain function of a connection. In a transaction of several, each runs in a savepoint of its own: one that raises is taken back
to where it began and fails alone, and the others commit. SQLAlchemy's own savepoints cost more than what most works do in them (80 µs
against 4), so on SQLite the statements go straight to the driver.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection

from storage.batching import Refused
from storage.prepared import execute_directly, is_direct

Result = TypeVar("Result")

Work = Callable[[Connection], Any]

_BEGIN = "SAVEPOINT work"


def call(connection: Connection, work: Callable[[Connection], Result]) -> Result:
    """The work's result. A StopIteration becomes a RuntimeError, since no future can hold one."""
    try:
        return work(connection)
    except StopIteration as error:
        raise RuntimeError(f"{work!r} raised StopIteration") from error


def call_each(connection: Connection, works: Sequence[Work]) -> list[Any]:
    """Runs the works in the connection's transaction; for each its result, or `Refused`.

    Raises where the transaction is lost, and where a single work raises: either way nothing may be committed.
    """
    if len(works) == 1:
        return [call(connection, works[0])]
    execute, renewal = _savepoints(connection)
    outcomes: list[Any] = []
    execute(_BEGIN)
    for work in works:
        try:
            outcomes.append(call(connection, work))
        except Exception as error:
            outcomes.append(Refused(error))
            execute("ROLLBACK TO SAVEPOINT work")  # where the next one may begin
        else:
            for statement in renewal:
                execute(statement)
    return outcomes


def _savepoints(connection: Connection) -> tuple[Callable[[str], Any], Sequence[str]]:
    """What executes a statement, and the statements between two works.

    On SQLite the new savepoint takes the last one's place. Elsewhere it lies within that, which saves a way to the server and back.
    """
    if is_direct(connection):
        return partial(execute_directly, connection), ("RELEASE SAVEPOINT work", _BEGIN)
    return connection.exec_driver_sql, (_BEGIN,)
