"""SQLite, for one process: a connection that writes and two that read, each kept open, with threads that may block.

In WAL mode readers do not wait for the writer. With two of them, a long read does not hold up a short one. Connections are kept because
opening one costs more than most transactions.

The driver's own handling of transactions knows no savepoints and leaves out DDL. So it is switched off, and each transaction begins with a
statement of ours. The writer's is BEGIN IMMEDIATE: it waits for other processes at its beginning, and never in the middle.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, NullPool, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from storage.engines import JSON, Engine
from storage.migrations import StorageError, migrate
from storage.prepared import execute_directly
from storage.private import keep_private
from storage.threads import Threads
from storage.works import Work, call, call_each

_BUSY_S = 10.0
"""How long a writer waits for one in another process."""
_WRITER = ("synchronous=NORMAL", "foreign_keys=ON")
_READER = ("query_only=ON",)


@asynccontextmanager
async def open_sqlite(url: URL, migrations: Path) -> AsyncIterator[Engine]:
    """The database at this URL, made for this user alone. Raises StorageError."""
    keep_private(url.database)
    with ExitStack() as stack:
        try:
            await asyncio.to_thread(_migrate, url, migrations)
            writer = stack.enter_context(_connected(url, "BEGIN IMMEDIATE", *_WRITER))
            idle = [stack.enter_context(_connected(url, "BEGIN", *_READER)) for _ in range(2)]
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:  # the last from the copy before an upgrade
            raise StorageError.because(url, error) from error
        writing = stack.enter_context(Threads("sqlite-writer"))
        reading = stack.enter_context(Threads("sqlite-reader", 2))

        async def transact(works: Sequence[Work]) -> Sequence[Any]:
            return await writing.run(_transact, writer, works)

        async def read(work: Work) -> Any:
            return await reading.run(_read, idle, work)

        yield Engine(url, True, transact, read)


def _transact(connection: Connection, works: Sequence[Work]) -> Sequence[Any]:
    with _transaction(connection):
        return call_each(connection, works)


def _read(idle: list[Connection], work: Work) -> Any:
    connection = idle.pop()  # there is one for each thread
    try:
        with _transaction(connection):
            return call(connection, work)
    finally:
        idle.append(connection)


@contextmanager
def _transaction(connection: Connection) -> Iterator[None]:
    """A transaction of a kept connection. If a commit fails, on a full disk for example, it stays open, and no pool will end it."""
    try:
        with connection.begin():
            yield
    finally:
        driver: Any = connection.connection.driver_connection
        if driver.in_transaction:
            driver.rollback()


@contextmanager
def _connected(url: URL, begin: str, *pragmas: str) -> Iterator[Connection]:
    """A connection whose transactions begin with this statement. It may be used in any thread, but in one at a time."""
    engine = create_engine(url, poolclass=NullPool, connect_args={"check_same_thread": False}, **JSON)

    def configure(driver: Any, _record: Any) -> None:
        driver.isolation_level = None
        driver.execute(f"PRAGMA busy_timeout={_BUSY_S * 1000:.0f}")
        for pragma in pragmas:
            driver.execute(f"PRAGMA {pragma}")

    event.listen(engine, "connect", configure)
    event.listen(engine, "begin", lambda connection: execute_directly(connection, begin))
    with engine.connect() as connection:
        yield connection


def _migrate(url: URL, migrations: Path) -> None:
    """Migrates in one transaction, DDL included: a process that dies in it leaves the old version.

    References are not enforced meanwhile, because changing a table means making it anew. They are checked afterwards.
    """
    with _connected(url, "BEGIN IMMEDIATE") as connection:
        _switch_to_wal(connection.connection.driver_connection)
        with connection.begin():
            changed = migrate(connection, migrations, partial(_keep_copy, url.database))
            if changed and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all()):
                raise StorageError(f"A migration of {url.database} leaves {len(broken)} rows without what they refer to; it was undone.")


def _switch_to_wal(driver: Any) -> None:
    """If two processes do this at once, SQLite refuses one of them without waiting. That one tries again."""
    deadline = time.monotonic() + _BUSY_S
    while True:
        try:
            driver.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return


def _keep_copy(database: str | None, version: str) -> None:
    """Copies the database, before an upgrade, to a file beside it that is named with its version. Only this user can read it."""
    if not database or database.startswith("file:"):
        return
    path = Path(f"{database}.{version}.bak")
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(unfinished)) as target:
        source.backup(target)
    unfinished.replace(path)
