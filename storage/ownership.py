"""A SQLite database belongs to one running server, because that server takes everything unfinished in it for its predecessor's.

A second server on the same database would end the first one's running answers as interrupted. So a server locks a file beside its database
(`saas_api.db.lock`), which also names its process. The kernel lets go of the lock when the process ends, however it ends. PostgreSQL serves
several servers, and needs none.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote

from sqlalchemy import URL

from storage.migrations import StorageError


class DatabaseTaken(StorageError):
    """Another running server has the database. The message is one sentence that names the directory, and the process if it is known."""


@contextmanager
def sole_owner(url: URL) -> Iterator[None]:
    """Keeps every other server from this database while the context lasts.

    Raises DatabaseTaken, and StorageError if the file for the lock cannot be made.
    """
    file = _file(url)
    if file is None:
        yield
        return
    try:
        lock = _locked(file)
    except BlockingIOError:
        raise DatabaseTaken(
            f"The directory {file.parent} is in use by another running server{_holder(_beside(file))}, which has {file.name} open: "
            "stop that one, or give this one a directory of its own."
        ) from None
    except OSError as error:
        raise StorageError(f"The file {_beside(file)} cannot be made or locked: {(error.strerror or str(error)).lower()}.") from error
    try:
        yield
    finally:
        os.close(lock)


def _file(url: URL) -> Path | None:
    """The file of a SQLite database, whatever links lead to it. None for any other database."""
    name = url.database or ""
    if url.get_backend_name() != "sqlite" or name in ("", ":memory:") or url.query.get("mode") == "memory":
        return None
    return Path(unquote(name.removeprefix("file:")) if name.startswith("file:") else name).resolve()


def _beside(file: Path) -> Path:
    return file.with_name(f"{file.name}.lock")


def _locked(file: Path) -> int:
    """The descriptor that holds the lock. Raises BlockingIOError if another process has it."""
    lock = os.open(_beside(file), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with suppress(OSError):  # on a full disk the lock holds without a name
            os.fchmod(lock, 0o600)
            os.ftruncate(lock, 0)
            os.pwrite(lock, b"%d\n" % os.getpid(), 0)
    except BaseException:
        os.close(lock)
        raise
    return lock


def _holder(path: Path) -> str:
    """The process that has the lock, if it is one of this machine's."""
    try:
        pid = int(path.read_bytes())
        os.kill(pid, 0)
    except PermissionError:
        return f" (process {pid})"  # another user's
    except (OSError, ValueError, OverflowError):
        return ""
    return f" (process {pid})" if pid != os.getpid() else ""
