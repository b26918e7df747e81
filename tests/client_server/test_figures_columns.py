"""An answer's figures have their own columns. An upgrade fills them for older answers, and a page reads only them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine

from client_server.store import open_store
from client_server.store.store import MIGRATIONS

OWN = {"hop": "client_server", "received_at": 999.5, "first_in_us": 310_000, "last_in_us": 5_010_000}
RECEIPT = {"usage": {"completion_tokens": 100}, "cost_usd": "0.000100", "finish_reason": "stop"}


@pytest.mark.sqlite
async def test_answers_from_before_get_their_figures(tmp_path: Path) -> None:
    """An upgrade computes them from the measurements. A turn without measurements gets none."""
    path = tmp_path / "old.db"
    await _make_old(path)
    async with open_store(f"sqlite:///{path}") as store:
        ended, failed = await store.turns("c")
    assert ended.figures is not None
    assert (310.0, 5010.0, 100, "0.000100", "stop", False) == (
        ended.first_token_ms,
        ended.total_ms,
        ended.tokens,
        ended.cost_usd,
        ended.finish_reason,
        ended.on_screen,
    )
    assert failed.figures is None


async def test_a_page_does_not_read_what_it_does_not_show(database_url: str) -> None:
    """Reading a conversation's turns, or one turn, does not load hop records, receipts or requests."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, sql: str, *_: Any) -> None:
        asked.append(sql)

    async with open_store(database_url) as store:
        event.listen(Engine, "before_cursor_execute", note)
        try:
            await store.turns("c")
            await store.turn("turn", "s")
        finally:
            event.remove(Engine, "before_cursor_execute", note)
    selects = [sql for sql in asked if "FROM turns" in sql]
    assert 2 == len(selects)
    for name in ("hops", "browser_hop", "receipt", "request"):
        assert not any(f"turns.{name}" in sql for sql in selects)


async def _make_old(path: Path) -> None:
    """Makes a database of the first version, with one answer that was measured and one that was not."""
    first = ScriptDirectory(str(MIGRATIONS)).get_revision("0001")
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        first.module.upgrade()
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('0001')")
    engine.dispose()
    with sqlite3.connect(path) as database:
        database.execute("INSERT INTO conversations VALUES ('c', 's', 'Title', 1.0, 1.0)")
        insert = """INSERT INTO turns (id, session_id, conversation_id, position, replaced, state, streaming, model_group, user_message,
            content, receipt, hops, created_at, ended_at)
            VALUES (?, 's', 'c', ?, 0, ?, 1, 'chat-fast', 'hello', 'text', ?, ?, 999.5, 1004.51)"""
        database.execute(insert, ("measured", 0, "finished", json.dumps(RECEIPT), json.dumps([OWN])))
        database.execute(insert, ("not measured", 1, "failed", None, None))
    database.close()
