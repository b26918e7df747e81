"""`storage.database`: works share transactions and fail alone, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, column, event, func, select, table
from sqlalchemy import Engine as SqlEngine
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from storage.database import Database, database_url, open_database, open_engine
from storage.migrations import StorageError
from storage.outages import DatabaseAway

things = table("things", column("id"), column("text"))


class Refusal(Exception):
    """What a work may raise."""


class Counted:
    """The transactions of a database, by how they ended, and a gate at their beginning."""

    def __init__(self) -> None:
        self.commits = 0
        self.rollbacks = 0
        self.batches: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()

    def commit(self, _connection: Connection) -> None:
        self.commits += 1

    def rollback(self, _connection: Connection) -> None:
        self.rollbacks += 1


@pytest.fixture
def counted() -> Iterator[Counted]:
    """Counts what every engine of this process commits and takes back."""
    counts = Counted()
    event.listen(SqlEngine, "commit", counts.commit)
    event.listen(SqlEngine, "rollback", counts.rollback)
    yield counts
    event.remove(SqlEngine, "commit", counts.commit)
    event.remove(SqlEngine, "rollback", counts.rollback)


@asynccontextmanager
async def opened(url: str, migrations: Path, counted: Counted) -> AsyncIterator[Database]:
    """A database whose transactions wait while the gate is closed."""
    async with open_engine(url, migrations) as engine:

        async def transact(works: Sequence[Any]) -> Sequence[Any]:
            counted.batches.append(len(works))
            await counted.gate.wait()
            return await engine.transact(works)

        database = Database(replace(engine, transact=transact))
        yield database
        await database.finish()


def add(number: int, *, refuses: bool = False, text: str = "text") -> Callable[[Connection], int]:
    """A work that adds a thing, and may then refuse."""

    def work(connection: Connection) -> int:
        connection.execute(things.insert(), {"id": number, "text": text})
        if refuses:
            raise Refusal(number)
        return number

    return work


def ids(connection: Connection) -> list[int]:
    return list(connection.execute(select(things.c.id).order_by(things.c.id)).scalars())


async def together(database: Database, counted: Counted, *works: Callable[[Connection], Any]) -> list[Any]:
    """The outcomes of works that have all come while another transaction was under way."""
    counted.gate.clear()
    first = asyncio.create_task(database.write(lambda _: None))
    await asyncio.sleep(0)
    callers = [asyncio.create_task(database.write(work)) for work in works]
    await asyncio.sleep(0)
    counted.commits = counted.rollbacks = 0
    counted.gate.set()
    return (await asyncio.gather(first, *callers, return_exceptions=True))[1:]


@pytest.mark.parametrize("refusing", [{7}, {0, 1, 20, 21, 22, 33, 40, 50, 62, 63}])
async def test_one_that_refuses_is_taken_back_alone(database_url: str, migrations: Path, counted: Counted, refusing: set[int]) -> None:
    """Of 64 works in one transaction some raise after they have written: their writes are gone, and all others are committed by it."""
    async with opened(database_url, migrations, counted) as database:
        outcomes = await together(database, counted, *(add(number, refuses=number in refusing) for number in range(64)))
        assert [1, 64] == counted.batches
        assert (2, 0) == (counted.commits, counted.rollbacks), "the one before, and theirs"
        assert refusing == {number for number, outcome in enumerate(outcomes) if isinstance(outcome, Refusal)}
        kept = [number for number in range(64) if number not in refusing]
        assert kept == [outcome for outcome in outcomes if isinstance(outcome, int)]
        assert kept == await database.read(ids)


async def test_the_databases_own_refusal(database_url: str, migrations: Path, counted: Counted) -> None:
    """A row that exists already, and invalid SQL, are errors of the caller at fault; the others share one transaction."""
    async with opened(database_url, migrations, counted) as database:
        wrong = [add(5), lambda connection: connection.exec_driver_sql("SELECT nonsense")]
        outcomes = await together(database, counted, *map(add, range(10)), *wrong, add(10))
        assert (2, 0) == (counted.commits, counted.rollbacks)
        assert [*range(10), "IntegrityError", True, 10] == [
            *outcomes[:10],
            type(outcomes[10]).__name__,
            isinstance(outcomes[11], DBAPIError),
            outcomes[12],
        ]
        assert list(range(11)) == await database.read(ids)


async def test_one_alone_that_refuses(database_url: str, migrations: Path, counted: Counted) -> None:
    """Its transaction is taken back, its error is the caller's, and the next work is as good as any."""
    async with opened(database_url, migrations, counted) as database:
        with pytest.raises(Refusal):
            await database.write(add(1, refuses=True))
        with pytest.raises(RuntimeError, match="StopIteration"):
            await database.write(lambda _: next(iter(())))
        assert 2 == await database.write(add(2))
        with pytest.raises(IntegrityError):
            await database.write(add(2))
        assert [2] == await database.read(ids)


async def test_a_transaction_that_fails_is_everybodys(database_url: str, migrations: Path, counted: Counted) -> None:
    """If the commit fails, nobody is told that anything was written, and nothing was."""

    def fail(_connection: Connection) -> None:
        raise OperationalError("COMMIT", {}, OSError("the disk is full"))

    async with opened(database_url, migrations, counted) as database:
        event.listen(SqlEngine, "commit", fail)
        outcomes = await together(database, counted, *map(add, range(3)))
        event.remove(SqlEngine, "commit", fail)
        assert [DatabaseAway] * 3 == [type(outcome) for outcome in outcomes]
        assert [] == await database.read(ids)
        assert 1 == await database.write(add(1))


async def test_a_lost_transaction_is_everybodys(database_url: str, migrations: Path, counted: Counted) -> None:
    """If a work loses the transaction, as on a full disk or a cut connection, its neighbours are told and nothing is written."""

    def lose(connection: Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")
        raise Refusal

    async with opened(database_url, migrations, counted) as database:
        outcomes = await together(database, counted, add(1), lose, add(2))
        assert all(isinstance(outcome, DBAPIError) for outcome in outcomes)
        assert [] == await database.read(ids)
        assert 3 == await database.write(add(3))


async def test_reading_does_not_wait_for_writers(database_url: str, migrations: Path) -> None:
    """While a transaction is under way, a read is answered with what was committed before."""
    began, release = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        add(1)(connection)
        began.set()
        assert release.wait(10)

    async with open_database(database_url, migrations) as database:
        writing = asyncio.create_task(asyncio.to_thread(asyncio.run, _written_elsewhere(database_url, migrations, slow)))
        assert await asyncio.to_thread(began.wait, 10)
        assert [] == await database.read(ids)
        release.set()
        await writing
        assert [1] == await database.read(ids)


async def _written_elsewhere(url: str, migrations: Path, work: Callable[[Connection], None]) -> None:
    async with open_database(url, migrations) as database:
        await database.write(work)


async def test_a_reading_cannot_write(database_url: str, migrations: Path) -> None:
    """It is refused, and the next read is as good as any."""
    async with open_database(database_url, migrations) as database:
        for _ in range(3):
            with pytest.raises(DBAPIError):
                await database.read(add(1))
        with pytest.raises(RuntimeError, match="StopIteration"):
            await database.read(lambda _: next(iter(())))
        assert [] == await database.read(ids)


async def test_a_caller_that_leaves_does_not_take_its_work_back(database_url: str, migrations: Path, counted: Counted) -> None:
    """Neither before its transaction nor within it; and closing the database waits for the work."""
    async with opened(database_url, migrations, counted) as database:
        counted.gate.clear()
        callers = [asyncio.create_task(database.write(add(number))) for number in range(3)]
        await asyncio.sleep(0.01)
        for caller in callers:
            caller.cancel()
        counted.gate.set()
    async with open_database(database_url, migrations) as database:
        assert [0, 1, 2] == await database.read(ids)


async def test_many_readers(database_url: str, migrations: Path) -> None:
    """A hundred at once, some of which leave, are all answered."""
    async with open_database(database_url, migrations) as database:
        await database.write(add(1))
        readers = [asyncio.create_task(database.read(ids)) for _ in range(100)]
        await asyncio.sleep(0)
        for reader in readers[::3]:
            reader.cancel()
        answers = await asyncio.gather(*readers, return_exceptions=True)
        assert [[1]] * 66 == [answer for answer in answers if isinstance(answer, list)]
        assert 1 == await database.read(lambda connection: connection.execute(select(func.count()).select_from(things)).scalar_one())


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite's writers go one after the other
async def test_two_processes_that_wait_for_each_other(database_url: str, migrations: Path) -> None:
    """Works of two workers that take the same rows in opposite order are both done, though PostgreSQL refuses one of them at first."""

    met, runs = threading.Barrier(2), list[tuple[int, int]]()

    def touch(order: tuple[int, int]) -> Callable[[Connection], None]:
        def work(connection: Connection) -> None:
            runs.append(order)
            for number in order:
                connection.execute(things.update().where(things.c.id == number), {"text": f"{order}"})
                if number == order[0] and runs.count(order) == 1:
                    met.wait(10)

        return work

    async with open_database(database_url, migrations) as database:
        await asyncio.gather(database.write(add(1)), database.write(add(2)))
        elsewhere = [_written_elsewhere(database_url, migrations, touch(order)) for order in ((1, 2), (2, 1))]
        await asyncio.gather(*(asyncio.to_thread(asyncio.run, writing) for writing in elsewhere))
        assert 3 == len(runs)
        texts = await database.read(lambda connection: connection.execute(select(things.c.text)).scalars().all())
        assert 1 == len(set(texts))


@pytest.mark.parametrize("url", ["nonsense", "mysql://localhost/x", "sqlite://", "sqlite:///:memory:", "postgresql://localhost"])
def test_urls_that_will_not_do(url: str) -> None:
    """Something that is not a URL, another kind of database, and a database that would keep nothing."""
    with pytest.raises(ValueError, match="it "):
        database_url(url)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:////nowhere/x.db", "sqlite:////nowhere/x.db cannot be used: unable to open database file."),
        ("postgresql://me:secret@127.0.0.1:1/x", "//me:***@127.0.0.1:1/x cannot be used: "),
        ("postgresql://me@127.0.0.1:1/x?password=secret", "//me@127.0.0.1:1/x cannot be used: "),
        ("postgresql:///x?host=/nowhere&password=secret", ":///x?host=%2Fnowhere cannot be used: "),
    ],
)
async def test_a_database_that_cannot_be_opened(url: str, said: str, migrations: Path) -> None:
    """One sentence says which and why, without the password."""
    with pytest.raises(StorageError) as raised:
        async with open_database(url, migrations):
            pass
    assert said in str(raised.value)
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


async def test_a_file_that_is_no_database(tmp_path: Path, migrations: Path) -> None:
    """The error says so, and the file is left as it is."""
    path = tmp_path / "notes.txt"
    path.write_text("no database " * 100)
    with pytest.raises(StorageError, match=r"notes\.txt cannot be used: file is not a database\."):
        async with open_database(f"sqlite:///{path}", migrations):
            pass
    assert "no database " * 100 == path.read_text()
