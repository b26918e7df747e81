"""The database engine, and bringing its tables up to date at start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

_MIGRATIONS = Path(__file__).parent / "migrations"
_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000", "foreign_keys=ON")


def create_engine(url: str) -> AsyncEngine:
    """An engine for SQLite or PostgreSQL (the URL names the asynchronous driver).

    SQLite gets two connections, so that a page can be read while answers are being written; writes go through
    `store.batch`, which is one writer by design.
    """
    options: dict[str, Any] = {"json_serializer": _dumps, "json_deserializer": orjson.loads}
    if make_url(url).get_backend_name() != "sqlite":
        return create_async_engine(url, pool_pre_ping=True, **options)
    engine = create_async_engine(url, pool_size=2, max_overflow=0, pool_timeout=60, **options)

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


async def migrate(engine: AsyncEngine) -> None:
    """Runs the migrations that this database has not seen yet."""
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()
