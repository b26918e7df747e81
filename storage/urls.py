"""Where a server's database is: the setting that says so, and the SQLite file that is used if nothing is set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator
from sqlalchemy import URL

from storage.database import database_url


def _known(url: str) -> str:
    database_url(url)
    return url


DatabaseUrl = Annotated[str, AfterValidator(_known)]
"""A setting: a SQLAlchemy URL of SQLite or PostgreSQL, with or without a driver."""


def database_at(url: str | None, file: Path) -> URL:
    """The URL that was set, or else that of a SQLite database in this file.

    The file's path is made absolute: a relative one may begin with `file:`, which SQLite would take for an address.
    """
    return URL.create("sqlite", database=str(file.absolute())) if url is None else database_url(url)
