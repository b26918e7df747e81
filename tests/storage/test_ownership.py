"""`storage.ownership`: one process at a time owns a SQLite database, by whatever path it comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

from storage.migrations import StorageError
from storage.ownership import DatabaseTaken, sole_owner
from tests.support.server import ROOT

PROGRAM = """
import sys
from sqlalchemy import make_url
from storage.ownership import sole_owner
with sole_owner(make_url(sys.argv[1])):
    print("owned", flush=True)
    sys.stdin.read()
"""


def url_of(path: Path) -> URL:
    return URL.create("sqlite", database=str(path))


@contextmanager
def another(url: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that owns the database."""
    command = [sys.executable, "-c", PROGRAM, url]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"owned\n"
            yield process
        finally:
            process.kill()


def test_a_second_owner_is_refused(tmp_path: Path) -> None:
    """The sentence names the directory and the process that has the database."""
    path = tmp_path / "a.db"
    with another(f"sqlite:///{path}") as process, pytest.raises(DatabaseTaken) as refused, sole_owner(url_of(path)):
        pass
    assert f"The directory {tmp_path} is in use by another running server (process {process.pid})" in str(refused.value)


def test_a_killed_owner_leaves_no_lock(tmp_path: Path) -> None:
    """After kill -9 the next one owns it at once, and its number stands in place of the old one's, whatever its length."""
    path = tmp_path / "a.db"
    with another(f"sqlite:///{path}") as process:
        (tmp_path / "a.db.lock").write_text("123456789012345678901234567890\n")
        process.send_signal(signal.SIGKILL)
        process.wait()
        with sole_owner(url_of(path)):
            assert f"{os.getpid()}\n" == (tmp_path / "a.db.lock").read_text()


def test_an_owner_lets_go(tmp_path: Path) -> None:
    """The end of the context is the end of the ownership, also if it ends with an error."""
    url = url_of(tmp_path / "a.db")
    for _ in range(2):
        with pytest.raises(RuntimeError), sole_owner(url):
            raise RuntimeError


@pytest.mark.parametrize("way", ["a relative path", "a linked directory", "a linked file", "an address of SQLite's"])
def test_every_path_leads_to_the_same_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """It is the file that is owned, and not its name."""
    path = tmp_path / "data" / "a%20b.db"
    path.parent.mkdir()
    (tmp_path / "link").symlink_to("data")
    (tmp_path / "b.db").symlink_to(path)
    monkeypatch.chdir(path.parent)
    same = {
        "a relative path": url_of(Path("a%20b.db")),
        "a linked directory": url_of(tmp_path / "link" / "a%20b.db"),
        "a linked file": url_of(tmp_path / "b.db"),
        "an address of SQLite's": URL.create("sqlite", database=f"file:{path.parent}/a%2520b.db", query={"uri": "true"}),
    }[way]
    with sole_owner(url_of(path)), pytest.raises(DatabaseTaken), sole_owner(same):
        pass


def test_two_databases_in_a_directory(tmp_path: Path) -> None:
    """The gateway and the middle tier share a directory: each has its own."""
    with sole_owner(url_of(tmp_path / "a.db")), sole_owner(url_of(tmp_path / "b.db")):
        assert {"a.db.lock", "b.db.lock"} == {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize("url", ["postgresql+asyncpg://127.0.0.1/x", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"])
def test_what_is_shared_or_nobody_elses_is_not_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """PostgreSQL has its own ways, and nobody else sees what is in memory."""
    monkeypatch.chdir(tmp_path)
    with sole_owner(make_url(url)), sole_owner(make_url(url)):
        assert [] == list(tmp_path.iterdir())


def test_a_lock_that_cannot_be_made(tmp_path: Path) -> None:
    """The sentence names its file."""
    (tmp_path / "a.db.lock").mkdir()
    with pytest.raises(StorageError, match=r"a\.db\.lock cannot be made or locked: is a directory"), sole_owner(url_of(tmp_path / "a.db")):
        pass
