"""A journal of what a process has promised, for the next process: records that outlive a kill, though not a power cut.

Strategy. A record is copied into a file that is mapped into memory, which costs a fraction of a microsecond: no system call, no thread.
The mapped pages belong to the kernel, so they stay when the process dies at any instruction. The file is all zeros before, and a record
holds no zero byte: one that is torn, because the process died within the copy, is known by its zeros. The file's blocks are reserved
first, because a full disk would otherwise kill the process at a write. `forget` gives back the files that are no longer needed, and they
are used again.

A record in the file: its value's length in decimal digits, a space, its key, a space, its value.

Each process has a folder of its own and holds a lock on it. `left_behind` yields the folders whose processes are gone.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import secrets
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

SEGMENT_BYTES = 256 * 1024
"""Small, so that the files in use stay in the processor's cache. A record that is larger gets a file of its own."""
MAX_SPARE = 8
"""How many files wait to be used again. Their pages are there already: a new file costs a page fault for every few records."""
MAX_BYTES = 256 * 1024 * 1024
"""What the files of one journal may take together."""

_ZEROS = memoryview(bytes(64 * 1024))
_LOCK = "lock"


class Record(NamedTuple):
    """One record: what it is about, and its bytes, none of which is zero."""

    key: bytes
    value: bytes


def as_key(name: bytes) -> bytes:
    """Returns the form of a record's key that `append` takes. `name` has neither spaces nor zero bytes, and at most 255 bytes."""
    return name + b" "


class Journal:
    """The journal of this process. Made with a folder that many processes share. Raises OSError if it cannot be used.

    If a record has no room, because the journal has reached `max_bytes` or the disk is full, it is left out, and `full` is called with
    the reason: half a sentence for a log.
    """

    def __init__(
        self, folder: Path, full: Callable[[str], None], *, segment_bytes: int = SEGMENT_BYTES, max_bytes: int = MAX_BYTES
    ) -> None:
        self._full = full
        self._folder = folder / f"{os.getpid()}-{secrets.token_hex(4)}"
        self._segment_bytes = segment_bytes
        self._max_bytes = max_bytes
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)  # an older one may be open to others
        self._lock = _locked_folder(self._folder)
        self._used: deque[_Segment] = deque()
        self._spare: list[_Segment] = []
        self._number = 0
        self._write: Callable[[bytes], object] = _no_room

    @property
    def place(self) -> int:
        """The number of the segment that takes the next record. `forget` can let go of those below it."""
        return self._number

    def append(self, key: bytes, pieces: Sequence[bytes]) -> None:
        """Adds a record of these pieces, unless they hold a zero byte. `key` comes from `as_key`."""
        value = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if b"\0" in value:
            return  # those who read would take it for torn, and all that follows for nothing
        record = b"%d %b%b" % (len(value), key, value)
        try:
            self._write(record)
        except ValueError:  # the file is full
            if self._begin_segment(len(record)):
                self._write(record)

    def forget(self, place: int) -> None:
        """Lets go of the records in segments below `place`. Their files are used again."""
        while len(self._used) > 1 and self._used[0].number < place:
            segment = self._used.popleft()
            if segment.size == self._segment_bytes and len(self._spare) < MAX_SPARE:
                segment.clear()
                self._spare.append(segment)
            else:
                segment.remove()

    def close(self, *, done: bool) -> None:
        """Ends it. `done`: nobody needs its records any more. Otherwise the next process finds them."""
        self._write, self._max_bytes = _no_room, 0
        for segment in (*self._used, *self._spare):
            segment.map.close()
        self._used.clear()
        self._spare.clear()
        if done:
            shutil.rmtree(self._folder, ignore_errors=True)
        os.close(self._lock)

    def _begin_segment(self, needed: int) -> bool:
        number = self._number + 1
        if self._spare and needed <= self._segment_bytes:
            segment = self._spare.pop()
            segment.renumber(number)
        else:
            size = max(needed, self._segment_bytes)
            if size + sum(segment.size for segment in (*self._used, *self._spare)) > self._max_bytes:
                self._full(f"the journal may have {self._max_bytes} bytes")
                return False
            try:
                segment = _Segment(self._folder, number, size)
            except OSError as error:
                self._full(f"the journal cannot grow: {error.strerror}")
                return False
        self._used.append(segment)
        self._number, self._write = number, segment.map.write
        return True


def _no_room(_record: bytes) -> None:
    raise ValueError("there is no file yet, or no more")


class _Segment:
    """One file of a journal, mapped into memory."""

    def __init__(self, folder: Path, number: int, size: int) -> None:
        self.number = number
        self.size = size
        self._path = folder / f"{number:020d}"
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.posix_fallocate(file, 0, size)
            self.map = mmap.mmap(file, size)
        except BaseException:
            self._path.unlink()
            raise
        finally:
            os.close(file)

    def renumber(self, number: int) -> None:
        path = self._path.with_name(f"{number:020d}")
        self._path.rename(path)
        self._path, self.number = path, number

    def clear(self) -> None:
        """Makes what has been written zeros again."""
        for start in range(0, self.map.tell(), len(_ZEROS)):
            part = min(len(_ZEROS), self.size - start)
            self.map[start : start + part] = _ZEROS[:part]
        self.map.seek(0)

    def remove(self) -> None:
        self.map.close()
        self._path.unlink()


class LeftBehind:
    """The journal of a process that is gone."""

    def __init__(self, folder: Path, lock: int) -> None:
        self._folder = folder
        self._lock = lock

    def records(self) -> Iterator[Record]:
        """Yields its records in the order in which they were added."""
        for path in sorted(self._folder.iterdir()):
            if path.name != _LOCK:
                yield from _records(path.read_bytes())

    def release(self, *, done: bool) -> None:
        """Lets go of it, and removes it if it is no longer needed."""
        if done:
            shutil.rmtree(self._folder, ignore_errors=True)
        os.close(self._lock)


def left_behind(folder: Path) -> Iterator[LeftBehind]:
    """Yields the journals in this folder whose processes are gone. Each must be released."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        try:
            yield LeftBehind(path, _locked_folder(path))
        except (BlockingIOError, NotADirectoryError, FileNotFoundError):
            continue  # its process lives, or another has taken it


def _locked_folder(folder: Path) -> int:
    """Makes the folder if there is none and locks it for this process. Raises BlockingIOError if another process has it, FileNotFoundError
    if one has just removed it."""
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.fstat(lock).st_nlink:
            raise FileNotFoundError(f"{folder} was removed meanwhile")
    except BaseException:
        os.close(lock)
        raise
    return lock


def _records(held: bytes) -> Iterator[Record]:
    at = 0
    while (space := held.find(b" ", at, at + 20)) > 0 and held[at:space].isdigit():
        split = held.find(b" ", space + 1, space + 257)
        end = split + 1 + int(held[at:space])
        if split < 0 or end > len(held) or b"\0" in held[space:end]:
            return
        yield Record(held[space + 1 : split], held[split + 1 : end])
        at = end
