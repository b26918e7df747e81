"""Settings of the servers that keep something: the data directory, the secrets in it, and the database."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from serving import credentials
from serving.settings import ServerSettings, StartRefused

_DRIVERS: Mapping[str, str] = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}


def _known_database(url: str) -> str:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError("it is not a database URL") from None
    if parsed.get_backend_name() not in _DRIVERS:
        raise ValueError("it must be a URL of SQLite or PostgreSQL")
    if parsed.database in (None, "", ":memory:"):
        raise ValueError("it must name a database that outlives the process")
    return url


DatabaseUrl = Annotated[str, AfterValidator(_known_database)]
"""A SQLAlchemy URL, with or without a driver."""


class _DataDir(ServerSettings):
    """Read before everything else, because the credentials file lies in it."""

    data_dir: Path = Path("data")


class DataSettings(_DataDir):
    """What such a server reads: environment variables first, then `credentials.env` in the data directory."""

    @classmethod
    def _read(cls) -> Self:
        """Writes the credentials that are missing."""
        data_dir = _DataDir().data_dir
        try:
            path = credentials.ensure(data_dir)
        except OSError as error:
            raise StartRefused("DATA_DIR", f"{error.filename or data_dir} cannot be used: {error.strerror}") from None
        return cls(_env_file=path)

    def database(self, url: str | None, file_name: str) -> str:
        """The URL with the asynchronous driver in it; without one, that of a SQLite file in the data directory."""
        parsed = make_url(url or f"sqlite:///{self.data_dir / file_name}")
        return parsed.set(drivername=_DRIVERS[parsed.get_backend_name()]).render_as_string(hide_password=False)
