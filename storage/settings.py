"""Where a server's database is, as a setting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, InstanceOf
from sqlalchemy import URL

from storage.database import database_url

DatabaseUrl = Annotated[InstanceOf[URL], BeforeValidator(database_url)]
"""Written as any SQLAlchemy URL of SQLite or PostgreSQL; read with our driver in it. It shows no password."""


def sqlite_file(path: Path) -> URL:
    """The URL of a database in this file."""
    return URL.create("sqlite", database=str(path))
