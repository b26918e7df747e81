"""`storage.private`: what is not a file is left alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from storage.private import keep_private


@pytest.mark.parametrize("database", [None, "", ":memory:", "file:x.db?mode=ro", "missing/x.db"])
def test_makes_no_file_that_sqlite_would_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str | None) -> None:
    """A database in memory, an address that SQLite reads for itself, and a folder that is not there."""
    monkeypatch.chdir(tmp_path)
    keep_private(database)
    assert [] == list(tmp_path.iterdir())


def test_a_private_file_stays_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A mode that gives others nothing is the owner's choice, and nothing is said."""
    path = tmp_path / "x.db"
    path.write_bytes(b"something")
    path.chmod(0o400)
    keep_private(str(path))
    assert (0o400, b"something", "") == (path.stat().st_mode & 0o777, path.read_bytes(), caplog.text)


def test_others_lose_what_the_owner_keeps(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Only the rights of others go, from a database and from what lies beside it, and each file is named."""
    for name in ("x.db", "x.db-wal", "x.db-journal"):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o664)
    keep_private(str(tmp_path / "x.db"))
    assert {0o600} == {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert 3 == len(caplog.messages) == sum("0664" in message for message in caplog.messages)


def test_what_is_no_file_keeps_its_mode(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A path that names a pipe, or a device, is somebody else's: its mode stays."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "pipe").chmod(0o666)
    keep_private(str(tmp_path / "pipe"))
    assert (0o666, "") == ((tmp_path / "pipe").stat().st_mode & 0o777, caplog.text)
