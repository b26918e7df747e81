"""PostgreSQL, for several processes at once, through asyncpg."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from asyncpg import InterfaceError, PostgresError
from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from storage.engines import JSON, Engine
from storage.migrations import StorageError, migrate
from storage.works import Work, call, call_each

_CONNECT_S = 10.0
_STATEMENT_S = 30.0
"""A server that stalls in the middle of a statement counts as away after this time. Migrations may take any."""
_AT_START = (OSError, SQLAlchemyError, PostgresError, InterfaceError, TypeError, ValueError)
"""What a database that cannot be used raises. TypeError and ValueError come of a wrong parameter in the URL's query."""
_MIGRATION_LOCK = 0x73746F72  # an advisory lock's number: any that nobody else takes in this database


@asynccontextmanager
async def open_postgresql(url: URL, migrations: Path) -> AsyncIterator[Engine]:
    """The database at this URL. Raises StorageError."""
    engine = create_async_engine(url, pool_pre_ping=True, connect_args={"timeout": _CONNECT_S, "command_timeout": _STATEMENT_S}, **JSON)
    reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    async def transact(works: Sequence[Work]) -> Sequence[Any]:
        async with engine.begin() as connection:
            return await connection.run_sync(call_each, works)

    async def read(work: Work) -> Any:
        async with reader.begin() as connection:
            return await connection.run_sync(call, work)

    try:
        try:
            await _migrate(url, migrations)
        except _AT_START as error:
            raise StorageError.because(url, error) from error
        yield Engine(url, False, transact, read)
    finally:
        await engine.dispose()


async def _migrate(url: URL, migrations: Path) -> None:
    """Holds the lock until the transaction ends. Otherwise, processes that migrate together would make the same table twice and die."""

    def locked(connection: Connection) -> None:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        migrate(connection, migrations)

    engine = create_async_engine(url, poolclass=NullPool, connect_args={"timeout": _CONNECT_S}, **JSON)
    async with engine.begin() as connection:
        await connection.run_sync(locked)


def is_deadlock(error: DBAPIError) -> bool:
    """Whether PostgreSQL refused a statement because two transactions waited for each other."""
    return getattr(error.orig, "sqlstate", None) == "40P01"
