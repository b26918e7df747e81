"""`serving.credentials`: whoever starts first writes what is missing, once, for its owner alone."""

from __future__ import annotations

import codecs
import fcntl
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from serving.credentials import FILE_NAME, CredentialsUnusable, ensure

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


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the names is set, whoever runs the tests."""
    for name in [name for name in os.environ if name.upper() in NAMES]:
        monkeypatch.delenv(name)


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


def test_secrets_that_are_gone_are_missed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """If there is a database already, new ones are not made in silence."""
    ensure(tmp_path)
    assert caplog.messages == []
    (tmp_path / "saas_api.db").touch()
    path = tmp_path / FILE_NAME
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if not line.startswith("KEY_PEPPER")))
    ensure(tmp_path)
    (message,) = caplog.messages
    assert f"{path} had no KEY_PEPPER, although there is a database" in message


@pytest.mark.parametrize("spelt", [str.upper, str.lower])
def test_what_the_environment_sets_is_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, spelt: Callable[[str], str]
) -> None:
    """Its value wins in either spelling, so none is made that nobody would use, and none is missed. An empty one sets nothing."""
    for name in NAMES[2:]:
        monkeypatch.setenv(spelt(name), "from-the-environment")
    monkeypatch.setenv(NAMES[1], "")
    (tmp_path / "saas_api.db").touch()
    assert set(NAMES[:2]) == values(ensure(tmp_path)).keys()
    (message,) = caplog.messages
    assert "had no SAAS_TEAM_ID, SAAS_VIRTUAL_KEY, although" in message
    caplog.clear()
    for name in NAMES[:2]:
        monkeypatch.setenv(name, "from-the-environment")
    path = tmp_path / FILE_NAME
    path.write_text("")
    ensure(tmp_path)
    assert ("", []) == (path.read_text(), caplog.messages)
    monkeypatch.delenv(spelt(NAMES[4]))
    ensure(tmp_path)
    assert {NAMES[4]} == values(path).keys()


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


COMPLETE = "".join(f"{name}=mine-and-long-enough-{name.lower()}\n" for name in NAMES)


@pytest.mark.parametrize(
    "held",
    [
        codecs.BOM_UTF8 + COMPLETE.encode(),
        COMPLETE.replace("\n", "\r\n").encode(),
        COMPLETE.lower().encode(),
        COMPLETE.replace("SAAS", "export SAAS").encode(),
        COMPLETE.replace("=mine", "='mine").replace("\n", "'  # a comment\n").encode(),
        COMPLETE.replace("=", " = ").encode(),
        "\n# käse\n\n".encode() + COMPLETE.encode(),
        COMPLETE.replace("mine", "${NOTHING}").encode(),
    ],
    ids=["a mark", "CRLF", "lower case", "export", "quotes", "blanks", "comments", "a reference"],
)
def test_a_secret_is_known_however_it_is_written(tmp_path: Path, held: bytes) -> None:
    """Every form that the settings read counts as a value, so nothing is added that would take its place."""
    path = tmp_path / FILE_NAME
    path.write_bytes(held)
    ensure(tmp_path)
    assert held == path.read_bytes()


@pytest.mark.parametrize(
    ("held", "why"),
    [
        (b"# Schl\xfcssel\n" + COMPLETE.encode(), "it is not UTF-8"),
        (COMPLETE.encode("utf-16"), "it is not UTF-8"),
        (COMPLETE.encode("utf-16-le"), "it is not text"),
        (COMPLETE.encode() + bytes(512), "it is not text"),
        (COMPLETE.replace("KEY_PEPPER=", "KEY_PEPPER: ").encode(), "its line 5 is not of the form NAME=value"),
        (COMPLETE.encode() + b"\n\n  SAAS_TEAM_I", "its line 8 is not of the form NAME=value"),
        (COMPLETE.replace("KEY_PEPPER=", 'KEY_PEPPER="').encode(), "its line 5 is not of the form NAME=value"),
        (COMPLETE.replace("KEY_PEPPER", "KEY\u200b_PEPPER").encode(), "its line 5 is not of the form NAME=value"),
        (COMPLETE.replace("KEY_PEPPER", "KEY-PEPPER").encode(), "its line 5 is not of the form NAME=value"),
    ],
    ids=[
        "Latin-1",
        "UTF-16",
        "UTF-16 without a mark",
        "zeros",
        "a colon",
        "half a line",
        "an open quote",
        "a hidden character",
        "a hyphen",
    ],
)
def test_a_file_that_cannot_be_read_is_left_alone(tmp_path: Path, held: bytes, why: str) -> None:
    """It may hold the secrets all the same: none is written over them, and the sentence says where the fault is and not what is there."""
    path = tmp_path / FILE_NAME
    path.write_bytes(held)
    with pytest.raises(CredentialsUnusable) as refused:
        ensure(tmp_path)
    assert str(refused.value).startswith(f"{path} cannot be read: {why}; ")
    assert "mine" not in str(refused.value)
    assert held == path.read_bytes()


@pytest.mark.parametrize("what", ["directory", "pipe", "loop", "link to nowhere", "device"])
def test_what_is_no_file(tmp_path: Path, what: str) -> None:
    """The sentence names it, and nothing waits for what never comes."""
    path = tmp_path / FILE_NAME
    match what:
        case "directory":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case _:
            path.symlink_to({"loop": FILE_NAME, "link to nowhere": f"{tmp_path}/nowhere/x", "device": "/dev/null"}[what])
    with pytest.raises(CredentialsUnusable, match=f"^{path} cannot be read: "):
        ensure(tmp_path)
