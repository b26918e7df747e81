"""`storage.migrations`: tables are brought up to date whole or not at all, by one process at a time."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData, inspect, text

import client_server.store
import client_server.store.tables
import saas_api.store
import saas_api.store.tables
from storage.database import open_database
from storage.migrations import StorageError
from tests.storage.conftest import SECOND, write_version
from tests.support.server import ROOT

SERVERS = [
    (saas_api.store.MIGRATIONS, saas_api.store.tables.metadata),
    (client_server.store.MIGRATIONS, client_server.store.tables.metadata),
]


def columns(connection: Connection) -> set[str]:
    return {column["name"] for column in inspect(connection).get_columns("things")}


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("copied.db*")]


def started(stack: ExitStack, url: str, migrations: Path) -> subprocess.Popen[str]:
    """A process that is about to open the database."""
    command = [sys.executable, "-m", "tests.storage.starting", url, str(migrations)]
    process = stack.enter_context(subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    stack.callback(process.kill)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(("migrations", "metadata"), SERVERS, ids=["saas_api", "client_server"])
async def test_the_migrations_lead_to_the_tables(database_url: str, migrations: Path, metadata: MetaData) -> None:
    """A migrated database differs in nothing from what the code declares, and opening it again changes nothing."""

    def differences(connection: Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    for _ in range(2):
        async with open_database(database_url, migrations) as database:
            assert [] == await database.read(differences)


@pytest.mark.parametrize("second", [False, True], ids=["first start", "upgrade"])
async def test_workers_that_start_together(database_url: str, migrations: Path, second: bool) -> None:
    """Three processes that bring one database up to date at the same moment all start."""
    if second:
        async with open_database(database_url, migrations):
            write_version(migrations, "0002", SECOND)
    with ExitStack() as stack:
        workers = [started(stack, database_url, migrations) for _ in range(3)]
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        assert ["open\n"] * 3 == [(await asyncio.to_thread(worker.communicate, timeout=30))[0] for worker in workers]
    async with open_database(database_url, migrations) as database:
        assert ({"id", "text", "size"} if second else {"id", "text"}) == await database.read(columns)


async def test_a_newer_database_is_left_alone(database_url: str, migrations: Path) -> None:
    """A program that does not know the database's version says so in one sentence with both versions, and changes nothing."""
    write_version(migrations, "0002", SECOND)
    async with open_database(database_url, migrations):
        (migrations / "versions" / "0002_things.py").unlink()
    with pytest.raises(StorageError, match=r"has version 0002, .* newest is 0001"):
        async with open_database(database_url, migrations):
            pass


@pytest.mark.sqlite
async def test_the_sentence_about_a_newer_database_holds_no_query(tmp_path: Path, migrations: Path) -> None:
    """A URL's query may hold a secret, so it is not shown."""
    url = f"sqlite:///{tmp_path}/x.db?timeout=4711"
    write_version(migrations, "0002", SECOND)
    async with open_database(url, migrations):
        (migrations / "versions" / "0002_things.py").unlink()
    with pytest.raises(StorageError, match=r"/x\.db has version 0002") as refused:
        async with open_database(url, migrations):
            pass
    assert "4711" not in str(refused.value)


async def test_a_migration_that_fails_leaves_the_old_version(database_url: str, migrations: Path) -> None:
    """All that it has done is undone, tables included, and a corrected one succeeds."""
    async with open_database(database_url, migrations):
        write_version(migrations, "0002", SECOND + "    raise ZeroDivisionError\n")
    with pytest.raises(ZeroDivisionError):
        async with open_database(database_url, migrations):
            pass
    (migrations / "versions" / "0002_things.py").unlink()
    async with open_database(database_url, migrations) as database:
        assert {"id", "text"} == await database.read(columns)
        write_version(migrations, "0002", SECOND)
    async with open_database(database_url, migrations) as database:
        assert {"id", "text", "size"} == await database.read(columns)


async def test_a_table_that_others_refer_to_is_made_anew(database_url: str, migrations: Path) -> None:
    """Its rows and those that refer to them are kept, and references are enforced again afterwards."""

    def fill(connection: Connection) -> None:
        connection.execute(text("INSERT INTO things (id, text) VALUES (1, 'one')"))
        connection.execute(text("INSERT INTO parts (thing) VALUES (1)"))

    async with open_database(database_url, migrations) as database:
        await database.write(fill)
        write_version(migrations, "0002", SECOND)
    async with open_database(database_url, migrations) as database:
        assert [(1, "one", None)] == await database.read(
            lambda c: [tuple(row) for row in c.execute(text("SELECT id, text, size FROM things"))]
        )
        with pytest.raises(Exception, match=r"(?i)foreign key"):
            await database.write(lambda connection: connection.execute(text("INSERT INTO parts (thing) VALUES (2)")))


@pytest.mark.sqlite
async def test_a_copy_is_kept_before_an_upgrade(tmp_path: Path, migrations: Path) -> None:
    """SQLite's file is copied as it was, for its owner alone, when its tables change and not when they are made."""
    path = tmp_path / "copied.db"
    async with open_database(f"sqlite:///{path}", migrations) as database:
        await database.write(lambda connection: connection.execute(text("INSERT INTO things (id, text) VALUES (1, 'old')")))
    assert [path.name] == names(tmp_path)
    write_version(migrations, "0002", SECOND)
    async with open_database(f"sqlite:///{path}", migrations):
        pass
    copy = tmp_path / "copied.db.0001.bak"
    assert {path.name, copy.name} == set(names(tmp_path))
    assert 0o600 == copy.stat().st_mode & 0o777
    with closing(sqlite3.connect(copy)) as old:
        assert [(1, "old")] == old.execute("SELECT * FROM things").fetchall()


@pytest.mark.sqlite
@pytest.mark.parametrize("second", [False, True], ids=["first start", "upgrade"])
def test_a_start_that_is_killed(tmp_path: Path, migrations: Path, second: bool) -> None:
    """After kill -9 at any moment of a start the database has the old version or the new one, and the next start succeeds."""
    paths = [tmp_path / f"{number}.db" for number in range(8)]
    whole = [{"id", "text"}, {"id", "text", "size"}] if second else [set[str](), {"id", "text"}]
    took = _took_to_open(tmp_path / "measured.db", migrations)
    if second:
        for path in paths:
            asyncio.run(_opened(path, migrations))
        write_version(migrations, "0002", SECOND)
    for path in paths:
        with ExitStack() as stack:
            worker = started(stack, f"sqlite:///{path}", migrations)
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
            time.sleep(random.uniform(0, took))
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
        with closing(sqlite3.connect(path)) as killed:
            assert {name for _, name, *_ in killed.execute("PRAGMA table_info(things)")} in whole
        assert whole[1] == asyncio.run(_opened(path, migrations))


def _took_to_open(path: Path, migrations: Path) -> float:
    with ExitStack() as stack:
        worker = started(stack, f"sqlite:///{path}", migrations)
        began = time.monotonic()
        worker.communicate("go\n", timeout=30)
        return time.monotonic() - began


async def _opened(path: Path, migrations: Path) -> set[str]:
    async with open_database(f"sqlite:///{path}", migrations) as database:
        return await database.read(columns)
