"""The database of a server: SQLite for one process, PostgreSQL for several, and two ways into it.

    await database.write(work)    # in a transaction, perhaps with other callers' works
    await database.read(work)     # at once, whatever is being written

A work is a plain function of a SQLAlchemy connection that returns a value or raises. A server's records are therefore written as ordinary
synchronous code. A commit costs the same for one caller as for fifty, so works that come together share one (`storage.batching`). A work
that raises is rolled back alone (`storage.works`).
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from storage.batching import Batcher
from storage.engines import Engine
from storage.migrations import StorageError
from storage.outages import DatabaseAway, is_outage, is_read_only, reason
from storage.postgresql import is_deadlock, open_postgresql
from storage.sqlite import open_sqlite
from storage.works import Work

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

_KINDS = {"sqlite": ("sqlite", open_sqlite), "postgresql": ("postgresql+asyncpg", open_postgresql)}
_DEADLOCK_TRIES = 5


class Database:
    """An open database. `embedded` says that it belongs to this process alone, as SQLite does."""

    def __init__(self, engine: Engine, admit: Callable[[], Awaitable[None]] | None = None) -> None:
        self.embedded = engine.embedded
        self._url = engine.url
        self._starting = False
        self._read = engine.read
        self._batcher: Batcher[Work] = Batcher(engine.transact, admit)
        self._away = False

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        """Runs the work in a transaction. Returns its result after the commit.

        Raises what the work raises, and DatabaseAway if the database cannot be used. Either way, nothing of the work has been written.
        The exception is a connection that is lost during the commit: nobody knows then, so whoever tries again brings a work that can be
        done twice. A work that got into a deadlock with another process's is run again. Cancelling the caller does not take the work back.
        """
        tries = _DEADLOCK_TRIES
        while True:
            try:
                result: Result = await self._batcher.add(work)
            except Exception as error:
                tries -= 1
                if not (tries and isinstance(error, DBAPIError) and is_deadlock(error)):
                    self._raise_outage(error)
                    raise
            else:
                if self._away:
                    self._note_return()
                return result

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Runs a work that only reads, and sees one moment of the database. Returns its result.

        Raises what the work raises, and DatabaseAway if the database cannot be used.
        """
        try:
            result: Result = await self._read(work)
        except Exception as error:
            if not is_read_only(error):  # our own readers are, and a work that writes has made a mistake
                self._raise_outage(error)
            raise
        if self._away and not self.embedded:
            self._note_return()
        return result

    def _raise_outage(self, error: Exception) -> None:
        """Raises DatabaseAway if the database is in trouble. The log hears of it once."""
        if not is_outage(error):
            return
        if self._starting:
            raise StorageError.because(self._url, error) from error
        if not self._away:
            logger.error("the database cannot be used: %s", reason(error))
        self._away = True
        raise DatabaseAway from error

    def _note_return(self) -> None:
        logger.warning("the database can be used again")
        self._away = False

    @contextmanager
    def at_start(self) -> Iterator[None]:
        """While it lasts, an outage is a StorageError: it keeps a server from starting, which then says why."""
        self._starting = True
        try:
            yield
        finally:
            self._starting = False

    async def finish(self) -> None:
        """Returns once everything that callers asked to write has been written."""
        await self._batcher.finish()


def open_engine(url: str | URL, migrations: Path) -> AbstractAsyncContextManager[Engine]:
    """The engine for this URL. Raises ValueError for an unusable URL and, on entering, what `open_database` raises."""
    parsed = database_url(url)
    _, opened = _KINDS[parsed.get_backend_name()]
    return opened(parsed, migrations)


@asynccontextmanager
async def open_database(url: str | URL, migrations: Path, admit: Callable[[], Awaitable[None]] | None = None) -> AsyncIterator[Database]:
    """The database at this URL, its tables brought up to date.

    `migrations` is the folder of the `versions`. `admit` is awaited by each caller of `write` before it goes on (`storage.batching`).
    Raises ValueError for an unusable URL, and StorageError for a database that cannot be opened or brought up to date.
    """
    async with open_engine(url, migrations) as engine:
        database = Database(engine, admit)
        try:
            yield database
        finally:
            await database.finish()


def database_url(url: str | URL) -> URL:
    """The URL with the driver that we use. Raises ValueError, with one sentence, if we cannot use it or if nothing would be kept."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # the latter for a port that is no number, in words that may hold a part of the password
        raise ValueError("it is not a database URL") from None
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise ValueError("its port is not a number from 1 to 65535")
    if parsed.get_backend_name() not in _KINDS:
        raise ValueError("it must be a URL of SQLite or PostgreSQL")
    if parsed.database in (None, "", ":memory:"):
        raise ValueError("it must name a database that outlives the process")
    driver, _ = _KINDS[parsed.get_backend_name()]
    return parsed.set(drivername=driver)
