"""Databases for tests: SQLite, or PostgreSQL with `TEST_DATABASE=postgresql`."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from tests.support import postgres

ON_POSTGRESQL = os.environ.get("TEST_DATABASE", "sqlite") == "postgresql"


def url_for(path: Path, *, postgresql: bool = ON_POSTGRESQL) -> str:
    """The URL of the database that belongs to this path: the SQLite file there, or always the same one on PostgreSQL."""
    if not postgresql:
        return f"sqlite:///{path}"
    return postgres.cluster().database(f"test_{hashlib.sha256(os.fsencode(path)).hexdigest()[:24]}")
