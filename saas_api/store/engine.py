"""The database engine, how a transaction is run on it, and bringing its tables up to date."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event, make_url
from sqlalchemy import create_engine as create_sync_engine
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from saas_api.store.writer import Read, Transact, Work
from storage.private import keep_private
from storage.worker import Worker

MIGRATIONS = Path(__file__).parent / "migrations"
PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000", "foreign_keys=ON")


def create_engine(url: str) -> AsyncEngine:
    """An engine for SQLite or PostgreSQL.

    SQLite gets one connection, in WAL mode: it has one writer anyway, and callers who wait for a connection here wait in
    order, where callers who wait for a file lock poll. Its files are made for this user alone.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_async_engine(url, pool_pre_ping=True)
    keep_private(parsed.database)
    engine = create_async_engine(url, pool_size=1, max_overflow=0, pool_timeout=60)
    event.listen(engine.sync_engine, "connect", _configure)
    return engine


@asynccontextmanager
async def transactions(engine: AsyncEngine) -> AsyncIterator[Transact]:
    """What runs the writer's transactions.

    SQLite's asynchronous driver goes to its thread and back for every step of a transaction, ten times in all. The writer's go
    there once, on a connection and in a thread of their own; that connection is kept, since giving it back after each
    transaction would cost nearly as much as the transaction.
    """
    if engine.dialect.name != "sqlite":

        async def transact(works: Sequence[Work]) -> Sequence[Any]:
            async with engine.begin() as connection:
                return await connection.run_sync(_each, works)

        yield transact
        return
    async with _connection_in_thread(engine, "sqlite-writer") as (thread, connection):

        async def transact_in_thread(works: Sequence[Work]) -> Sequence[Any]:
            return await thread.run(_transact, connection, works)

        yield transact_in_thread


@asynccontextmanager
async def readings(engine: AsyncEngine) -> AsyncIterator[Read]:
    """What runs a short reading at once, whatever is being written: in SQLite's WAL mode readers do not wait for writers."""
    if engine.dialect.name != "sqlite":

        async def read(work: Work) -> Any:
            async with engine.connect() as connection:
                return await connection.run_sync(work)

        yield read
        return
    async with _connection_in_thread(engine, "sqlite-reader") as (thread, connection):

        async def read_in_thread(work: Work) -> Any:
            return await thread.run(_read, connection, work)

        yield read_in_thread


@asynccontextmanager
async def _connection_in_thread(engine: AsyncEngine, name: str) -> AsyncIterator[tuple[Worker, Connection]]:
    sync_engine = create_sync_engine(engine.url.set(drivername="sqlite"), pool_size=1, max_overflow=0)
    event.listen(sync_engine, "connect", _configure)
    with Worker(name) as thread:
        connection = await thread.run(sync_engine.connect)
        try:
            yield thread, connection
        finally:
            await thread.run(_close, connection)


def _read(connection: Connection, work: Work) -> Any:
    with connection.begin():
        return work(connection)


def _transact(connection: Connection, works: Sequence[Work]) -> Sequence[Any]:
    with connection.begin():
        return _each(connection, works)


def _close(connection: Connection) -> None:
    connection.close()
    connection.engine.dispose()


def _each(connection: Connection, works: Sequence[Work]) -> Sequence[Any]:
    return [work(connection) for work in works]


def _configure(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


async def migrate(engine: AsyncEngine) -> None:
    """Runs the migrations that this database has not seen."""
    async with engine.connect() as connection:
        await connection.run_sync(_upgrade)
        await connection.commit()


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
