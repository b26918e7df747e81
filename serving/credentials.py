"""The secrets that two servers must agree on before either has ever run.

`credentials.env` in the data directory holds them in `NAME=value` lines, in UTF-8. Only its owner can read it. The same holds for the
directory if it is made here. Whichever server starts first writes what is missing: a name that has a value neither there nor in the
environment. A lock keeps two servers that start at once from writing different secrets.

A secret that is there is never replaced. So a file that cannot be read, or that holds anything else than such lines, is left as it is: what
it says may be a secret all the same.
"""

from __future__ import annotations

import errno
import fcntl
import io
import logging
import os
import re
import secrets
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from dotenv.parser import parse_stream

logger = logging.getLogger(__name__)

FILE_NAME = "credentials.env"
ENCODING = "utf-8-sig"
"""UTF-8. Some editors put a mark in front of it."""

_GENERATED: Mapping[str, Callable[[], str]] = {
    "SAAS_TEAM_ID": lambda: f"team_{secrets.token_hex(12)}",
    "SAAS_VIRTUAL_KEY": lambda: f"sk-saas-{secrets.token_urlsafe(32)}",
    "SAAS_ADMIN_KEY": lambda: f"sk-admin-{secrets.token_urlsafe(32)}",
    "SESSION_SECRET": lambda: secrets.token_urlsafe(48),
    "KEY_PEPPER": lambda: secrets.token_urlsafe(48),
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class CredentialsUnusable(Exception):
    """The file, or its directory, cannot be used. The message is one sentence, without its full stop, that names it and says what to do."""


def ensure(data_dir: Path) -> Path:
    """The path of the credentials file. After this call it holds a value for every name that the environment does not set.

    Existing values are kept. A file that lacks nothing need not be writable. Raises CredentialsUnusable.
    """
    path = data_dir / FILE_NAME
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CredentialsUnusable(f"the directory {data_dir} cannot be made: {_reason(error)}") from None
    descriptor, read_only = _open(path)
    try:
        held = _read(path, descriptor)
        present = _named(path, held) | {name.upper() for name, value in os.environ.items() if value}
        missing = [f"{name}={make()}\n" for name, make in _GENERATED.items() if name not in present]
        _close_to_others(path, descriptor)
        if missing:
            if read_only is not None:
                raise _unwritable(path, read_only)
            _append(path, descriptor, ("\n" if held and not held.endswith(b"\n") else "") + "".join(missing))
            if any(data_dir.glob("*.db")):
                names = ", ".join(line.partition("=")[0] for line in missing)
                logger.warning(
                    "%s had no %s, although there is a database: what belongs to the old values is not known any more", path, names
                )
    finally:
        os.close(descriptor)
    return path


def _open(path: Path) -> tuple[int, OSError | None]:
    """The file's descriptor, and why it cannot be written, if so: then it is open for reading alone. It is made if there is none."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600), None
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            with suppress(OSError):
                return os.open(path, os.O_RDONLY | os.O_NONBLOCK), error
        if not os.path.lexists(path):
            raise CredentialsUnusable(f"{path} cannot be made: {_reason(error)}") from None
        raise _unreadable(path, _reason(error)) from None


def _read(path: Path, descriptor: int) -> bytes:
    """All of the file, once no other process is at work on it."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise _unreadable(path, "it is not a file")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with open(descriptor, "rb", closefd=False) as file:
            return file.read()
    except OSError as error:
        raise _unreadable(path, _reason(error)) from None


def _named(path: Path, held: bytes) -> set[str]:
    """The names, in capitals, that have a value in the file."""
    try:
        text = held.decode(ENCODING)
    except UnicodeDecodeError:
        raise _unreadable(path, "it is not UTF-8") from None
    if "\0" in text:  # UTF-16, or what a power cut left
        raise _unreadable(path, "it is not text")
    names = set()
    for binding in parse_stream(io.StringIO(text)):
        written = binding.original.string.lstrip()
        if binding.error or (binding.key is not None and (binding.value is None or not _NAME.fullmatch(binding.key))):
            line = binding.original.line + binding.original.string[: -len(written)].count("\n")
            raise _unreadable(path, f"its line {line} is not of the form NAME=value")
        if binding.key and binding.value:
            names.add(binding.key.upper())
    return names


def _close_to_others(path: Path, descriptor: int) -> None:
    mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    if mode & 0o077:
        try:
            os.fchmod(descriptor, mode & ~0o077)
        except OSError as error:
            logger.warning("%s is open to others and cannot be closed to them: %s", path, _reason(error))


def _append(path: Path, descriptor: int, lines: str) -> None:
    """Adds these lines at the end: all of them, or nothing."""
    before = os.fstat(descriptor).st_size
    data = lines.encode()
    try:
        os.lseek(descriptor, before, os.SEEK_SET)
        if os.write(descriptor, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    except OSError as error:
        with suppress(OSError):
            os.ftruncate(descriptor, before)
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> CredentialsUnusable:
    return CredentialsUnusable(f"the secrets that {path} lacks cannot be written to it: {_reason(error)}")


def _unreadable(path: Path, why: str) -> CredentialsUnusable:
    return CredentialsUnusable(
        f"{path} cannot be read: {why}; nothing was written to it, since it may hold secrets: "
        "mend it, or move it away to have new ones made"
    )


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
