"""The database engine, and bringing its tables up to date at start."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event, make_url
from sqlalchemy import create_engine as create_sync_engine
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from client_server.store.batch import Statement, Transact
from storage.private import keep_private
from storage.worker import Worker

_MIGRATIONS = Path(__file__).parent / "migrations"


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


_JSON: Mapping[str, Any] = {"json_serializer": _dumps, "json_deserializer": orjson.loads}
_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000", "foreign_keys=ON")


def create_engine(url: str) -> AsyncEngine:
    """An engine for SQLite, whose files are made for this user alone, or PostgreSQL; the URL names the asynchronous driver."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_async_engine(url, pool_pre_ping=True, **_JSON)
    keep_private(parsed.database)
    engine = create_async_engine(url, pool_size=2, max_overflow=0, pool_timeout=60, **_JSON)
    event.listen(engine.sync_engine, "connect", _configure)
    return engine


@asynccontextmanager
async def transactions(engine: AsyncEngine) -> AsyncIterator[Transact]:
    """What runs a gathered transaction.

    SQLite blocks, so its driver lives in a thread; the asynchronous one goes there and back for every step of a transaction. Ours goes
    once for all of it, on a connection and in a thread of its own; that connection is kept, since giving it back after each transaction
    would cost nearly as much as the transaction.
    """
    if engine.dialect.name != "sqlite":

        async def transact(statements: Sequence[Statement]) -> None:
            async with engine.begin() as connection:
                await connection.run_sync(_execute, statements)

        yield transact
        return
    writer = create_sync_engine(engine.url.set(drivername="sqlite"), pool_size=1, max_overflow=0, **_JSON)
    event.listen(writer, "connect", _configure)
    with Worker("sqlite-writer") as thread:
        connection = await thread.run(writer.connect)

        async def transact_in_thread(statements: Sequence[Statement]) -> None:
            await thread.run(_transact, connection, statements)

        try:
            yield transact_in_thread
        finally:
            await thread.run(_close, connection)


def _close(connection: Connection) -> None:
    connection.close()
    connection.engine.dispose()


def _transact(connection: Connection, statements: Sequence[Statement]) -> None:
    with connection.begin():
        _execute(connection, statements)


def _execute(connection: Connection, statements: Sequence[Statement]) -> None:
    for statement, rows in statements:
        statement.execute(connection, *rows)


def _configure(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


async def migrate(engine: AsyncEngine) -> None:
    """Runs the migrations that this database has not seen yet."""
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
