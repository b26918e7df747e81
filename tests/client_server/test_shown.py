"""`client_server.shown`: from notes and saved text, the next process makes the text that readers had."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from client_server import shown as module
from client_server.shown import Shown, shown_before
from client_server.turn import Checkpoint
from storage.journal import Journal


def noting(shown: Shown, turn_id: str) -> Callable[[Sequence[bytes]], None]:
    """The function that notes frames of this turn."""
    notes = shown.notes(turn_id)
    return partial(notes.add, notes.key)


def frame(number: int, text: str) -> bytes:
    return b"id: %d\ndata: %b\n\n" % (number, json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode())


def texts(folder: Path, **saved: str) -> dict[str, str]:
    with shown_before(folder, saved) as found:
        return found


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every few notes a new segment, so that dropping is felt."""
    monkeypatch.setattr(module, "Journal", lambda folder, full: Journal(folder, full, segment_bytes=250))


def test_what_was_noted_and_not_saved_comes_back(tmp_path: Path) -> None:
    """Each turn has its own text. A turn that is not asked for, or that has nothing new, is not in the result."""
    shown = Shown(tmp_path)
    one, two, three = (noting(shown, turn_id) for turn_id in ("one", "two", "three"))
    one([frame(0, "a"), frame(1, "b")])
    two([frame(0, "x")])
    three([frame(0, "ended")])
    one([frame(2, "ü\n\n")])
    shown.close(done=False)
    assert texts(tmp_path, one="a", two="x", four="") == {"one": "abü\n\n"}
    assert texts(tmp_path, one="a") == {}  # used and gone


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("late", [0, 1, 9])
def test_notes_are_dropped_after_a_checkpoint(tmp_path: Path, late: int) -> None:
    """What is saved and the notes that are left give the whole text, also of a turn that pauses, and of frames that come
    while a checkpoint is being written (`late`)."""
    shown = Shown(tmp_path)
    busy, idle = noting(shown, "busy"), noting(shown, "idle")
    idle([frame(0, "first ")])
    saved = {"busy": Checkpoint(), "idle": Checkpoint(1, len("first "))}
    whole = kept = ""
    last = place = number = 0
    for _ in range(20):
        for step in range(20):
            if step == 20 - late:
                place, kept = shown.place, whole
                saved["busy"] = Checkpoint(number, len(kept))
            whole += f"{number} "
            busy([frame(number, f"{number} ")])
            number += 1
        if not late:
            place, kept = shown.place, whole
            saved["busy"] = Checkpoint(number, len(kept))
        shown.saved(saved)
        shown.drop(last)
        last = place
    idle([frame(1, "second")])
    busy([frame(number, "end")])
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) < 40  # 400 notes of 100 bytes each, in files of 250: without dropping, 200
    shown.close(done=False)
    assert texts(tmp_path, busy=kept, idle="first ") == {"busy": whole + "end", "idle": "first second"}


def test_a_gap_ends_the_text(tmp_path: Path) -> None:
    """If a note could not be taken, the text ends before it: no text with a hole in it is shown."""
    shown = Shown(tmp_path)
    note = noting(shown, "one")
    for number in (0, 1, 3, 4):
        note([frame(number, str(number))])
    shown.close(done=False)
    assert texts(tmp_path, one="") == {"one": "01"}


def test_saved_text_is_never_made_shorter(tmp_path: Path) -> None:
    """A checkpoint can be newer than the last note of it, and a database can be older than the notes."""
    shown = Shown(tmp_path)
    note = noting(shown, "one")
    note([frame(0, "abc")])
    shown.saved({"one": Checkpoint(7, 70)})
    shown.close(done=False)
    assert texts(tmp_path, one="abcdef") == {}


def test_notes_stay_until_their_text_is_saved(tmp_path: Path) -> None:
    """If the texts cannot be saved, the next start finds the notes again."""
    shown = Shown(tmp_path)
    noting(shown, "one")([frame(0, "abc")])
    shown.close(done=False)
    with pytest.raises(OSError, match="disk"), shown_before(tmp_path, {"one": ""}):
        raise OSError("disk full")
    assert texts(tmp_path, one="") == {"one": "abc"}


def test_without_a_journal_answers_go_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder that cannot be used is told once. Nothing else fails."""
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        shown = Shown(tmp_path / "file")
        noting(shown, "one")([frame(0, "abc")])
        shown.saved({"one": Checkpoint(1, 3)})
        shown.drop(shown.place)
        shown.close(done=True)
    assert [record.message for record in caplog.records] == [
        f"answers are kept once a second only, because {tmp_path / 'file'}: File exists"
    ]


def test_a_full_journal_is_told_once_until_it_works_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The chunk goes on in any case."""
    monkeypatch.setattr(module, "Journal", lambda folder, full: Journal(folder, full, segment_bytes=200, max_bytes=200))
    shown = Shown(tmp_path)
    note = noting(shown, "one")
    for number in range(10):
        note([frame(number, "text")])
    assert len(caplog.records) == 1
    shown.close(done=True)
