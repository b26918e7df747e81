"""Works: what callers do with a database, and how several of them share one transaction.

A work is a plain function of a connection. If several share a transaction, each runs in a savepoint of its own. One that raises is rolled
back to its savepoint and fails alone, and the others commit. SQLAlchemy's own savepoints cost more than what most works do in them (80 µs
against 4), so on SQLite the statements go straight to the driver.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection

from storage.batching import Refused
from storage.outages import is_outage
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
    """Runs the works in the connection's transaction. Returns the result of each, or `Refused`.

    Raises if the transaction is lost, the database is in trouble, or the only work raises. Either way, nothing may be committed.
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
            if is_outage(error):
                raise  # it is everybody's, and a full disk has ended the transaction already
            outcomes.append(Refused(error))
            execute("ROLLBACK TO SAVEPOINT work")  # the next one begins there
        else:
            for statement in renewal:
                execute(statement)
    return outcomes


def _savepoints(connection: Connection) -> tuple[Callable[[str], Any], Sequence[str]]:
    """The function that executes a statement, and the statements between two works.

    On SQLite, a new savepoint replaces the last one. Elsewhere it is nested in the last one, which saves a round trip to the server.
    """
    if is_direct(connection):
        return partial(execute_directly, connection), ("RELEASE SAVEPOINT work", _BEGIN)
    return connection.exec_driver_sql, (_BEGIN,)
