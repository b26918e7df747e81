"""Keeps what readers may have seen but the database does not have yet, so that a kill takes no text back.

Checkpoints are a second apart. If the gateway dies together with this process, the answer cannot be read again, and the text since the
last checkpoint would be gone from under its reader's eyes. So each frame is noted in a journal before it goes into the log. After a
checkpoint the notes before it are dropped. The next process reads the notes of a dead one and saves the longer texts before anything else.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from client_server.notes import Notes
from client_server.turn import Checkpoint
from hop.fold import Fold
from storage.journal import Journal, LeftBehind, as_key, left_behind

logger = logging.getLogger(__name__)

_SAVED = b"saved "
"""Begins a note that is not frames: how many frames, and characters of their text, the database has."""


class Shown:
    """The notes of this process. If the journal cannot be used, it takes none and says so once."""

    def __init__(self, folder: Path) -> None:
        self._complained = False
        self._journal: Journal | None = None
        try:
            self._journal = Journal(folder, self._complain)
        except OSError as error:
            self._complain(f"{error.filename or folder}: {error.strerror}")

    def notes(self, turn_id: str) -> Notes:
        """Returns what notes frames of this turn. Use it before a reader can have them."""
        return Notes() if self._journal is None else Notes(self._journal.append, as_key(turn_id.encode()))

    @property
    def place(self) -> int:
        """Where the notes are now. What is noted before can be dropped with `drop` once it is saved."""
        return 0 if self._journal is None else self._journal.place

    def saved(self, places: Mapping[str, Checkpoint]) -> None:
        """Notes how far the database has each running turn. Call it after every checkpoint, or `drop` would take the last such note."""
        if self._journal is not None:
            for turn_id, (frames, characters, _) in places.items():
                self._journal.append(as_key(turn_id.encode()), (b"%b%d %d" % (_SAVED, frames, characters),))

    def drop(self, place: int) -> None:
        """Drops the notes before this place."""
        if self._journal is not None:
            self._journal.forget(place)
            self._complained = False

    def close(self, *, done: bool) -> None:
        """Ends the notes. `done`: the database has everything."""
        if self._journal is not None:
            self._journal.close(done=done)

    def _complain(self, reason: str) -> None:
        if not self._complained:
            logger.warning("answers are kept once a second only, because %s", reason)
        self._complained = True


@contextmanager
def shown_before(folder: Path, saved: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yields the texts that dead processes had shown, by turn id, where they are longer than the saved one.

    The notes are removed if the block ends without an error. `saved` has the turns in question.
    """
    texts: dict[str, str] = {}
    done = False
    found: list[LeftBehind] = []
    try:
        for left in left_behind(folder):
            found.append(left)
            for turn_id, text in _texts(left, saved).items():
                if len(text) > len(texts.get(turn_id, saved[turn_id])):
                    texts[turn_id] = text
        yield texts
        done = True
    finally:
        for left in found:
            left.release(done=done)


def _texts(left: LeftBehind, saved: Mapping[str, str]) -> dict[str, str]:
    traces: dict[str, _Trace] = {}
    for key, value in left.records():
        turn_id = key.decode()
        if turn_id in saved:
            traces.setdefault(turn_id, _Trace()).take(value)
    return {turn_id: trace.text(saved[turn_id]) for turn_id, trace in traces.items()}


class _Trace:
    """One turn's notes: the last checkpoint, and the frames after it."""

    def __init__(self) -> None:
        self._saved = Checkpoint()
        self._frames: dict[int, bytes] = {}

    def take(self, value: bytes) -> None:
        if value.startswith(_SAVED):
            frames, characters = map(int, value[len(_SAVED) :].split())
            self._saved = Checkpoint(frames, characters)
            self._frames = {number: frame for number, frame in self._frames.items() if number >= frames}
            return
        for frame in value.split(b"\n\n")[:-1]:
            self._frames[int(frame[len(b"id: ") : frame.index(b"\n")])] = frame + b"\n\n"

    def text(self, saved: str) -> str:
        """Returns the text as far as it has no hole."""
        start, characters, _ = self._saved
        if len(saved) < characters:
            return saved
        fold = Fold()
        while start in self._frames:
            fold.take([self._frames[start]])
            start += 1
        return saved[:characters] + fold.content
