"""The secrets that two servers must agree on before either has ever run.

`credentials.env` in the data directory holds them in `NAME=value` lines. Only its owner can read it. The same holds for the directory if it
is made here. Whichever server starts first writes what is missing. A lock keeps two servers that start at once from writing different
secrets.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

FILE_NAME = "credentials.env"

_GENERATED: Mapping[str, Callable[[], str]] = {
    "SAAS_TEAM_ID": lambda: f"team_{secrets.token_hex(12)}",
    "SAAS_VIRTUAL_KEY": lambda: f"sk-saas-{secrets.token_urlsafe(32)}",
    "SAAS_ADMIN_KEY": lambda: f"sk-admin-{secrets.token_urlsafe(32)}",
    "SESSION_SECRET": lambda: secrets.token_urlsafe(48),
    "KEY_PEPPER": lambda: secrets.token_urlsafe(48),
}


def ensure(data_dir: Path) -> Path:
    """The path of the credentials file. After this call it holds a value for every name; existing values are kept.

    Raises OSError if the directory or the file cannot be written.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = data_dir / FILE_NAME
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        os.fchmod(file.fileno(), 0o600)
        text = file.read()
        present = {line.partition("=")[0].strip() for line in text.splitlines() if line.partition("=")[2].strip()}
        missing = [f"{name}={make()}\n" for name, make in _GENERATED.items() if name not in present]
        if missing:
            if text and not text.endswith("\n"):
                file.write("\n")
            file.writelines(missing)
            file.flush()
            os.fsync(file.fileno())
    return path
