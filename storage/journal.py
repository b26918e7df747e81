"""A journal of what a process has promised, for the next process: records that outlive a kill, though not a power cut.

Strategy. A record is copied into a file that is mapped into memory, which costs half a microsecond: no system call, no thread. The
mapped pages belong to the kernel, so they stay when the process dies at any instruction. A record's head is written after its bytes, so
it is there as a whole or not at all. The file's blocks are reserved first, because a full disk would otherwise kill the process
at a write. `forget` gives back the files that are no longer needed, and they are used again.

Each process has a folder of its own and holds a lock on it. `left_behind` yields the folders whose processes are gone.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import secrets
import shutil
import struct
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

SEGMENT_BYTES = 1024 * 1024
"""Small, so that the files in use stay in the processor's cache. A record that is larger gets a file of its own."""
HEAD_BYTES = 16
MAX_SPARE = 8
"""How many files wait to be used again. Their pages are there already: a new file costs a page fault for every few records."""
MAX_BYTES = 256 * 1024 * 1024
"""What the files of one journal may take together."""

_HEAD = struct.Struct("LL")
"""A record's length and its segment's number. The number tells it from an older record in a file that is used again.

The number is written last, byte by byte. It begins at random, so no text can pretend to be a record.
"""
_write_head = _HEAD.pack_into
_LOCK = "lock"


class Record(NamedTuple):
    """One record: what it is about, and its bytes."""

    key: bytes
    value: bytes


def as_key(name: bytes) -> bytes:
    """Returns the form of a record's key that `append` takes. `name` has at most 255 bytes."""
    return bytes([len(name)]) + name


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
        self._number = secrets.randbits(56) + (1 << 60)
        self._map: mmap.mmap
        self._at = self._end = 0

    @property
    def place(self) -> int:
        """The number of the segment that takes the next record. `forget` can let go of those below it."""
        return self._number

    def append(self, key: bytes, pieces: Sequence[bytes]) -> None:
        """Adds a record of these pieces. `key` comes from `as_key`."""
        record = key + (pieces[0] if len(pieces) == 1 else b"".join(pieces))
        at = self._at
        start = at + HEAD_BYTES
        end = start + len(record)
        if end > self._end:
            if not self._begin_segment(HEAD_BYTES + len(record)):
                return
            at, start, end = 0, HEAD_BYTES, HEAD_BYTES + len(record)
        self._map[start:end] = record
        _write_head(self._map, at, len(record), self._number)
        self._at = end

    def forget(self, place: int) -> None:
        """Lets go of the records in segments below `place`. Their files are used again."""
        while len(self._used) > 1 and self._used[0].number < place:
            segment = self._used.popleft()
            if segment.size == self._segment_bytes and len(self._spare) < MAX_SPARE:
                segment.map[:HEAD_BYTES] = bytes(HEAD_BYTES)
                self._spare.append(segment)
            else:
                segment.remove()

    def close(self, *, done: bool) -> None:
        """Ends it. `done`: nobody needs its records any more. Otherwise the next process finds them."""
        self._end = 0
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
        self._number, self._map, self._at, self._end = number, segment.map, 0, segment.size
        return True


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
                yield from _records(path.read_bytes(), int(path.name))

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


def _records(held: bytes, number: int) -> Iterator[Record]:
    at = 0
    while at + _HEAD.size <= len(held):
        length, found = _HEAD.unpack_from(held, at)
        start = at + _HEAD.size
        at = start + length
        if found != number or length == 0 or at > len(held):
            return
        split = start + 1 + held[start]
        yield Record(held[start + 1 : split], held[split:at])
