"""Works: what callers do with a database, and how several of them share one transaction.

A work is a plain function of a connection. In a transaction of several, each runs in a savepoint of its own: one that raises is taken back
to where it began and fails alone, and the others commit. SQLAlchemy's own savepoints cost more than what most works do in them (80 µs
against 4), so on SQLite the statements go straight to the driver.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection

from storage.batching import Refused
from storage.prepared import execute_directly, is_direct

Result = TypeVar("Result")

Work = Callable[[Connection], Any]


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
    outcomes: list[Any] = []
    _execute(connection, "SAVEPOINT work")
    for work in works:
        try:
            outcomes.append(call(connection, work))
        except Exception as error:
            outcomes.append(Refused(error))
            _execute(connection, "ROLLBACK TO SAVEPOINT work")  # where the next one may begin
        else:
            _renew_savepoint(connection)
    return outcomes


def _renew_savepoint(connection: Connection) -> None:
    """On SQLite in place of the last one; elsewhere within it, since each statement is a way to the server and back."""
    if is_direct(connection):
        _execute(connection, "RELEASE SAVEPOINT work")
    _execute(connection, "SAVEPOINT work")


def _execute(connection: Connection, sql: str) -> None:
    if is_direct(connection):
        execute_directly(connection, sql, [()])
    else:
        connection.exec_driver_sql(sql)
