"""Where a turn's frames are noted before its readers get them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple


def _no_note(key: bytes, frames: Sequence[bytes]) -> None:
    pass


class Notes(NamedTuple):
    """Where a turn's frames are noted before its log gets them, in case the process is killed: `add(key, frames)`.

    All turns share the function. One of its own for each turn would be several objects more that a chunk has to fetch from cold memory.
    """

    add: Callable[[bytes, Sequence[bytes]], None] = _no_note
    key: bytes = b""
