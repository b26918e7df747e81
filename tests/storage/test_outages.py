"""`storage.outages`: a database that is locked, full, read-only or away is told from a work's own mistake, and is used again afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from storage import sqlite
from storage.database import Database, open_database
from storage.outages import DatabaseAway
from tests.storage.test_database import add, ids
from tests.support import outages


def execute(*statements: str) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        for statement in statements:
            connection.execute(text(statement))

    return work


@pytest.fixture
async def database(database_url: str, migrations: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    monkeypatch.setattr(sqlite, "_BUSY_S", 0.05)
    async with open_database(database_url, migrations) as database:
        await database.write(add(1))
        yield database


async def in_trouble(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody's work is written, alone or with others, and the log says so once."""
    for works in ([add(2)], [add(3), add(4), add(5)]):
        outcomes = await asyncio.gather(*map(database.write, works), return_exceptions=True)
        assert {DatabaseAway} == {type(outcome) for outcome in outcomes}
    assert 1 == caplog.text.count("the database cannot be used: ")


async def in_order_again(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    assert await asyncio.gather(database.write(add(2)), database.write(add(3)))
    assert [1, 2, 3] == await database.read(ids)
    assert 1 == caplog.text.count("the database can be used again")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_database_that_another_process_has_locked(database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Writes fail once they have waited long enough; reads go on."""
    with outages.locked(tmp_path / "100%.db"):
        await in_trouble(database, caplog)
        assert [1] == await database.read(ids)
    await in_order_again(database, caplog)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_database_that_is_full(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """SQLite itself ends the transaction then, savepoints included. What was there can be read."""
    await database.write(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count=1"))
    large = execute("INSERT INTO things SELECT value + 10, hex(zeroblob(3000)) FROM json_each('[1,2,3,4,5,6,7,8]')")
    for works in ([large], [add(2), large, add(3)]):
        outcomes = await asyncio.gather(*map(database.write, works), return_exceptions=True)
        assert {DatabaseAway} == {type(outcome) for outcome in outcomes}
    assert [1] == await database.read(ids)
    await database.write(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count=1000000"))
    await in_order_again(database, caplog)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_database_that_is_read_only(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """As on a disk that the system has taken out of use."""
    await database.write(lambda connection: connection.exec_driver_sql("PRAGMA query_only=ON"))
    await in_trouble(database, caplog)
    assert [1] == await database.read(ids)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_server_that_is_away(database_url: str, migrations: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its connections are cut, and for a while it accepts none."""
    async with outages.line_to(database_url) as line, open_database(line.leads_to(database_url), migrations) as database:
        await database.write(add(1))
        await database.read(ids)
        async with line.cut():
            await in_trouble(database, caplog)
            with pytest.raises(DatabaseAway):
                await database.read(ids)
        await in_order_again(database, caplog)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_connection_that_is_cut_in_a_transaction(database: Database) -> None:
    """As by an administrator, or a server that restarts. The works with it are not written either."""
    lost = execute("SELECT pg_terminate_backend(pg_backend_pid())", "SELECT 1")
    outcomes = await asyncio.gather(*map(database.write, (add(7), lost, add(8))), return_exceptions=True)
    assert [DatabaseAway] * 3 == [type(outcome) for outcome in outcomes]
    assert [1] == await database.read(ids)
    assert await database.write(add(9))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_server_that_only_reads(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """As a standby does."""
    with pytest.raises(DatabaseAway):
        await database.write(execute("SET TRANSACTION READ ONLY", "INSERT INTO things VALUES (2, '')"))
    await in_order_again(database, caplog)


async def test_a_works_own_mistake_is_not_the_databases(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """A double key, a statement that cannot be read, and a table that is not there."""
    with pytest.raises(IntegrityError):
        await database.write(add(1))
    for statement in ("nonsense", "SELECT * FROM nowhere"):
        with pytest.raises(DBAPIError):
            await database.write(execute(statement))
        with pytest.raises(DBAPIError):
            await database.read(execute(statement))
    assert "cannot be used" not in caplog.text
