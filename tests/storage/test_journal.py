"""`storage.journal`: what a killed process has recorded is there, whole and in order, and nothing else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from storage.journal import MAX_SPARE, Journal, Record, as_key, left_behind

WRITER = """
import sys
from pathlib import Path
from storage.journal import Journal, as_key
journal = Journal(Path(sys.argv[1]), print, segment_bytes=65536, max_bytes=2**28)
for number in range(10**9):
    journal.append(as_key(b"key"), [b"%d " % number * (number % 50)])
    if number % 100 == 0:
        print(number, flush=True)
"""


def found(folder: Path) -> list[Record]:
    """What the processes that are gone have left. It is removed."""
    records: list[Record] = []
    for left in left_behind(folder):
        records += left.records()
        left.release(done=True)
    return records


def fail(reason: str) -> None:
    """Takes no refusal."""
    raise AssertionError(reason)


def abandon(journal: Journal) -> None:
    journal.close(done=False)


def test_records_come_back_in_order(tmp_path: Path) -> None:
    """Over many segments, with any bytes but zeros, empty values and keys of every length."""
    journal = Journal(tmp_path, fail, segment_bytes=700)
    added = [Record(b"7" * (number % 256), os.urandom(number % 300).replace(b"\0", b" ")) for number in range(500)]
    for record in added:
        journal.append(as_key(record.key), [record.value])
    assert found(tmp_path) == []  # its process lives
    abandon(journal)
    assert found(tmp_path) == added
    assert list(tmp_path.iterdir()) == []


def test_a_value_with_a_zero_byte_is_left_out(tmp_path: Path) -> None:
    """It could be taken for the end of the file. What follows it is there."""
    journal = Journal(tmp_path, fail)
    for value in ([b"one"], [b"\0"], [b"t\0wo"], [b"tw", b"o\0"], [b"three"]):
        journal.append(as_key(b"key"), value)
    abandon(journal)
    assert [b"one", b"three"] == [record.value for record in found(tmp_path)]


def test_what_is_not_done_with_stays(tmp_path: Path) -> None:
    """A reader that could not use the records leaves them for the next one; a journal that is done leaves nothing."""
    journal = Journal(tmp_path, fail)
    journal.append(as_key(b"key"), [b"value"])
    abandon(journal)
    for left in left_behind(tmp_path):
        left.release(done=False)
    assert found(tmp_path) == [(b"key", b"value")]
    journal = Journal(tmp_path, fail)
    journal.append(as_key(b"key"), [b"value"])
    journal.close(done=True)
    assert found(tmp_path) == []


def test_a_file_that_is_used_again_shows_no_old_record(tmp_path: Path) -> None:
    """Old bytes lie behind the new ones, at the very places where records begin. None of them counts."""
    journal = Journal(tmp_path, fail, segment_bytes=1000)
    for number in range(1000):
        journal.append(as_key(b""), [b"%02d" % (number % 100)])
        journal.forget(journal.place)
    assert len(list(next(tmp_path.iterdir()).iterdir())) <= 3  # the lock, the segment in use, and the one before it
    first = journal.place
    while journal.place == first:
        journal.append(as_key(b""), [b"the last one"])
    journal.forget(journal.place)
    abandon(journal)
    assert [record.value for record in found(tmp_path)] == [b"the last one"]


def test_forgetting_keeps_what_came_later(tmp_path: Path) -> None:
    """Everything from the given place on is kept, whatever was forgotten before."""
    journal = Journal(tmp_path, fail, segment_bytes=100)
    for number in range(100):
        if number == 60:
            journal.forget(journal.place)
        journal.append(as_key(b""), [b"%d" % number])
    abandon(journal)
    values = [int(record.value) for record in found(tmp_path)]
    assert values == list(range(values[0], 100))
    assert 40 <= values[0] <= 60


def test_a_record_may_be_larger_than_a_segment(tmp_path: Path) -> None:
    """It has a file of its own, which is not kept once it is forgotten."""
    journal = Journal(tmp_path, fail, segment_bytes=100)
    added = [Record(b"k", b"x" * size) for size in (10, 5000, 10, 300, 60)]
    for record in added:
        journal.append(as_key(record.key), [record.value])
    journal.close(done=False)
    assert found(tmp_path) == added
    journal = Journal(tmp_path, fail, segment_bytes=100)
    for size in (*range(1000), *[10] * 200):
        journal.append(as_key(b""), [b"x" * size])
        journal.forget(journal.place)
    files = [path.stat().st_size for path in next(tmp_path.iterdir()).iterdir()]
    assert sum(files) <= 100 * (MAX_SPARE + 2)
    journal.close(done=True)


def test_a_full_journal_says_so_and_works_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record is left out if there is no room for one more file, or if the disk is full. The next one may fit."""
    reasons: list[str] = []
    journal = Journal(tmp_path, reasons.append, segment_bytes=100, max_bytes=250)
    journal.append(as_key(b""), [b"w" * 250])
    journal.append(as_key(b""), [b"x" * 93])
    journal.append(as_key(b""), [b"y" * 93])
    journal.append(as_key(b""), [b"z"])
    assert reasons == ["the journal may have 250 bytes"] * 2
    journal.forget(journal.place)
    journal.append(as_key(b""), [b"z"])
    abandon(journal)
    assert [record.value[:1] for record in found(tmp_path)] == [b"y", b"z"]

    def no_space(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("storage.journal.os.posix_fallocate", no_space)
    journal = Journal(tmp_path, reasons.append)
    journal.append(as_key(b""), [b"x"])
    monkeypatch.undo()
    assert reasons[2:] == ["the journal cannot grow: No space left on device"]
    journal.append(as_key(b""), [b"y", b"z"])
    abandon(journal)
    assert [record.value for record in found(tmp_path)] == [b"yz"]


@pytest.mark.parametrize(
    "torn", [b"5", b"5 ", b"5 ke", b"5 key ", b"5 key va", b"5 key \0\0\0ue", b"\0 key value", b"5\0key value", b"5 k\0y value"]
)
def test_a_record_that_is_torn_is_left_out(tmp_path: Path, torn: bytes) -> None:
    """Whatever part of it was copied before the process died, and in whatever order."""
    journal = Journal(tmp_path, fail)
    journal.append(as_key(b"key"), [b"whole"])
    journal.append(as_key(b"key"), [b"zzzzz"])
    abandon(journal)
    file = next(path for path in tmp_path.rglob("*") if path.is_file() and path.name != "lock")
    held = file.read_bytes()
    place = held.index(b"5 key zzzzz")
    file.write_bytes(held[:place] + torn.ljust(len(b"5 key zzzzz"), b"\0") + held[place + len(b"5 key zzzzz") :])
    assert found(tmp_path) == [(b"key", b"whole")]


@pytest.mark.parametrize("lines", [1, 40, 300])
def test_a_killed_process_loses_nothing(tmp_path: Path, lines: int) -> None:
    """After kill -9 every record is there up to some moment, whole, and no earlier than the last one that was reported."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        reported = [int(process.stdout.readline()) for _ in range(lines)][-1]
        process.send_signal(signal.SIGKILL)
    values = [record.value for record in found(tmp_path)]
    assert len(values) > reported
    assert values == [b"%d " % number * (number % 50) for number in range(len(values))]


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    """It holds people's conversations."""
    folder = tmp_path / "notes"
    journal = Journal(folder, fail)
    journal.append(as_key(b""), [b"secret"])
    assert {path.stat().st_mode & 0o077 for path in folder.rglob("*")} | {folder.stat().st_mode & 0o077} == {0}
    journal.close(done=True)
