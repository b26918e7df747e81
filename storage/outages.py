"""When a database cannot do its work for a while: it is away, locked by another process, full or read-only.

That is nobody's mistake and passes, so it is one error of its own, apart from those that a work raises. Whoever must get something stored
tries again; a client that asks for something is told to come back.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection

from wire.errors import ErrorCode, WireError

_PASSING = {"08", "25006", "53", "57", "58"}
"""What PostgreSQL says of itself: connection lost, read-only, out of resources, being ended, or its disk failed.

They are classes of SQLSTATE, or whole ones: appendix A of PostgreSQL's documentation.
"""


class DatabaseAway(WireError):
    """The database cannot be used at the moment. Its cause is what the driver said."""

    def __init__(self) -> None:
        super().__init__(ErrorCode.UPSTREAM_UNAVAILABLE, "The server's database cannot be used at the moment.", retry_after=1.0)


def is_outage(error: Exception) -> bool:
    """Whether this is the database's trouble. Takes what SQLAlchemy raises, and what asyncpg raises while it connects."""
    said = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(said, OSError | NoConnection) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return True
    if isinstance(said, sqlite3.OperationalError):
        return getattr(said, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF != sqlite3.SQLITE_ERROR  # which is a statement's mistake
    state = getattr(said, "sqlstate", None)
    return isinstance(state, str) and not _PASSING.isdisjoint((state, state[:2]))


def is_read_only(error: Exception) -> bool:
    """Whether something was to be written where nothing may be."""
    said = getattr(error, "orig", error)
    return getattr(said, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY or getattr(said, "sqlstate", None) == "25006"


def reason(error: Exception) -> str:
    """What the driver said, in one line."""
    return str(getattr(error, "orig", None) or error).partition("\n")[0] or type(error).__name__
