"""`serving.credentials`: whoever starts first writes what is missing, once, for its owner alone."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.credentials import FILE_NAME, ensure

ROOT = Path(__file__).parents[2]
NAMES = ["SAAS_TEAM_ID", "SAAS_VIRTUAL_KEY", "SAAS_ADMIN_KEY", "SESSION_SECRET", "KEY_PEPPER"]


def values(path: Path) -> dict[str, str]:
    """What the file says; a name that it says twice fails the test."""
    found: dict[str, str] = {}
    for line in path.read_text().splitlines():
        name, _, value = (part.strip() for part in line.partition("="))
        if value:
            assert name not in found
            found[name] = value
    return found


@pytest.fixture
def open_umask() -> Iterator[None]:
    """A process that would let everyone read what it writes."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_writes_all_that_is_missing_for_its_owner_alone(tmp_path: Path) -> None:
    """A first start makes the directory, mode 0700, and a file of mode 0600 with a value for every name, in `NAME=value` lines."""
    path = ensure(tmp_path / "a" / "data")
    assert tmp_path / "a" / "data" / "credentials.env" == path
    assert 0o600 == path.stat().st_mode & 0o777
    assert 0o700 == path.parent.stat().st_mode & 0o777
    assert set(NAMES) == values(path).keys()
    assert path.read_text().endswith("\n")
    assert len(NAMES) == len(path.read_text().splitlines())


def test_values_are_secrets(tmp_path: Path) -> None:
    """No two directories get the same, each is long enough not to be guessed, and none needs quoting in a shell or in .env."""
    first, second = values(ensure(tmp_path / "a")), values(ensure(tmp_path / "b"))
    assert not set(first.values()) & set(second.values())
    assert all(len(value.rpartition("-")[2] if name == "SAAS_TEAM_ID" else value) >= 29 for name, value in first.items())
    assert all(character.isalnum() or character in "-_" for value in first.values() for character in value)


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    """What is there stays, byte for byte."""
    path = ensure(tmp_path)
    before = path.read_bytes()
    assert path == ensure(tmp_path)
    assert before == path.read_bytes()


@pytest.mark.parametrize(
    "text",
    [
        "SAAS_ADMIN_KEY=mine\n",
        "SAAS_ADMIN_KEY=mine",
        "# by hand\nSAAS_ADMIN_KEY=mine\n\nOTHER=x\n",
        "SAAS_ADMIN_KEY=mine\nSESSION_SECRET=\nKEY_PEPPER=  \n",
        "SAAS_ADMIN_KEY = mine\n",
    ],
    ids=["one line", "no line end", "a comment and another name", "empty values", "blanks"],
)
def test_fills_in_what_is_missing_and_keeps_the_rest(tmp_path: Path, text: str) -> None:
    """Values that someone wrote are kept as they were written; only names without a value are added."""
    path = tmp_path / FILE_NAME
    path.write_text(text)
    ensure(tmp_path)
    assert path.read_text().startswith(text)
    found = values(path)
    assert "mine" == found["SAAS_ADMIN_KEY"]
    assert set(NAMES) == found.keys() - {"OTHER"}


def test_takes_the_file_back_from_other_eyes(tmp_path: Path) -> None:
    """A file that others could read is its owner's alone afterwards."""
    path = tmp_path / FILE_NAME
    path.write_text("SAAS_ADMIN_KEY=mine\n")
    path.chmod(0o644)
    ensure(tmp_path)
    assert 0o600 == path.stat().st_mode & 0o777


def test_a_directory_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    """Somebody may have opened it to a group on purpose; what is secret in it is closed file by file."""
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o750)
    ensure(folder)
    assert 0o750 == folder.stat().st_mode & 0o777


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    """One writes at a time, and the next takes what it wrote: all read the same values, and the file holds each name once.

    The test is the first process: it holds the file while two more arrive, and writes one of the values itself.
    """
    program = """
import sys
from pathlib import Path
from serving.credentials import ensure
print("ready", flush=True)
print(ensure(Path(sys.argv[1])).read_text().replace("\\n", " "), flush=True)
"""
    path = tmp_path / FILE_NAME
    command = [sys.executable, "-c", program, str(tmp_path)]
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        processes = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        outputs = [process.stdout for process in processes if process.stdout is not None]
        assert ["ready\n"] * 2 == [output.readline() for output in outputs]
        assert [] == select.select(outputs, [], [], 0.5)[0]
        file.write("SAAS_ADMIN_KEY=mine\n")
    read = [process.communicate(timeout=30)[0] for process in processes]
    assert [0, 0] == [process.returncode for process in processes]
    assert path.read_text().replace("\n", " ") + "\n" == read[0] == read[1]
    assert set(NAMES) == values(path).keys()
    assert "mine" == values(path)["SAAS_ADMIN_KEY"]
