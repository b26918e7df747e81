"""PostgreSQL, for several processes at once, through asyncpg."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from asyncpg import PostgresError
from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from storage.engines import JSON, Engine
from storage.migrations import StorageError, migrate
from storage.works import Work, call, call_each

_MIGRATION_LOCK = 0x73746F72  # an advisory lock's number: any that nobody else takes in this database


@asynccontextmanager
async def open_postgresql(url: URL, migrations: Path) -> AsyncIterator[Engine]:
    """The database at this URL. Raises StorageError."""
    engine = create_async_engine(url, pool_pre_ping=True, **JSON)
    reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    async def transact(works: Sequence[Work]) -> Sequence[Any]:
        async with engine.begin() as connection:
            return await connection.run_sync(call_each, works)

    async def read(work: Work) -> Any:
        async with reader.begin() as connection:
            return await connection.run_sync(call, work)

    try:
        try:
            async with engine.begin() as connection:
                await connection.run_sync(_migrate, migrations)
        except (OSError, SQLAlchemyError, PostgresError) as error:
            raise StorageError.because(url, error) from error
        yield Engine(False, transact, read)
    finally:
        await engine.dispose()


def _migrate(connection: Connection, migrations: Path) -> None:
    """Holds the lock until the transaction ends. Otherwise, processes that migrate together would make the same table twice and die."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
    migrate(connection, migrations)


def is_deadlock(error: DBAPIError) -> bool:
    """Whether PostgreSQL refused a statement because two transactions waited for each other."""
    return getattr(error.orig, "sqlstate", None) == "40P01"
