"""Bringing a database's tables up to date, in one transaction that keeps every other process out.

Each server keeps its versions in a folder, in Alembic's form. There is no `env.py` and no configuration file. The versions run on the
connection that they are given, and leave the commit to the code that opened its transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection

from storage.outages import reason

_OPTIONS: dict[str, Any] = {"transactional_ddl": True}
_PLACES = ("host", "port")


class StorageError(Exception):
    """The database cannot be used as it is; the message tells the operator why, in a sentence or two."""

    @classmethod
    def because(cls, url: URL, error: Exception) -> Self:
        """The error for what the driver said. The URL is shown without its secrets."""
        said = reason(error).strip(" .")
        hint = ", perhaps because the disk is full" if said == "disk I/O error" else ""
        return cls(f"The database {_shown(url)} cannot be used: {said}{hint}.")


def migrate(connection: Connection, migrations: Path, before_upgrade: Callable[[str], None] | None = None) -> bool:
    """Runs the versions in `migrations`/versions that the database has not seen. Returns whether there were any.

    `before_upgrade` is called with the old version before existing tables are changed. Raises StorageError if the database has a version
    that is not among these.
    """
    scripts = ScriptDirectory(str(migrations))
    current, newest = MigrationContext.configure(connection, opts=_OPTIONS).get_current_revision(), scripts.get_current_head()
    if current == newest:
        return False
    if current is not None:
        if current not in {script.revision for script in scripts.walk_revisions()}:
            raise StorageError(
                f"The database {_shown(connection.engine.url)} has version {current}, which this program does not know: "
                f"its own newest is {newest}. Start the newer program, or restore a copy of the database."
            )
        if before_upgrade is not None:
            before_upgrade(current)

    def upgrade(heads: Any, _context: MigrationContext) -> Any:
        return scripts._upgrade_revs("head", heads)

    with EnvironmentContext(Config(), scripts, fn=upgrade, destination_rev="head") as environment:
        environment.configure(connection=connection, **_OPTIONS)
        environment.run_migrations()
    return True


def _shown(url: URL) -> str:
    """The URL without its password, and of its query no more than where the database is: a driver takes a password there too."""
    return url.set(query={name: value for name, value in url.query.items() if name in _PLACES}).render_as_string()
