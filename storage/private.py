"""A database whose files nobody but their owner may read."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

logger = logging.getLogger(__name__)

_OTHERS = 0o077
"""The permissions of the group and of everyone else."""


def keep_private(database: str | None) -> None:
    """Makes the file of this SQLite database if there is none, and closes it and those beside it to all but their owner.

    SQLite gives the files that it makes beside a database the database's own mode. Call this before anything in this process opens the
    database. Each file that it closes is logged; one that it may not close is logged and left as it is. `database` is as in a URL: a path,
    `:memory:`, or SQLite's own `file:` address, which is left alone.
    """
    if not database or database == ":memory:" or database.startswith("file:"):
        return
    path = Path(database)
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:
        pass  # it is there already, or cannot be made, and SQLite will say so
    for file in (path, *(path.with_name(path.name + ending) for ending in ("-wal", "-shm", "-journal"))):
        try:
            _close_to_others(file)
        except FileNotFoundError:
            pass
        except OSError as error:
            logger.warning("%s is open to others and cannot be closed to them: %s", file, error.strerror)


def _close_to_others(file: Path) -> None:
    found = file.stat()
    mode = stat.S_IMODE(found.st_mode)
    if stat.S_ISREG(found.st_mode) and mode & _OTHERS:  # not a device or a pipe
        file.chmod(mode & ~_OTHERS)
        logger.warning("%s was open to others (mode %04o); it is its owner's alone now", file, mode)
