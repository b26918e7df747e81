"""Writing a long JSON text without keeping the event loop from its other work: piece by piece, what `hop.slices` is for reading."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import orjson

PIECE = 16 * 1024
"""Characters that are written at once, roughly."""


async def write_in_pieces(value: Any) -> bytes:
    """The JSON text of a value. Raises TypeError where it holds what JSON, or orjson, cannot."""
    if not is_longer(value, PIECE):
        return orjson.dumps(value)
    parts: list[bytes] = []
    size = 0
    for part in _parts(value):
        parts.append(part)
        size += len(part)
        if size > PIECE:
            size = 0
            await asyncio.sleep(0)
    return b"".join(parts)


def is_longer(value: Any, characters: int) -> bool:
    """Whether the text of the value is longer than that, roughly: a string counts as its length, and anything else as 8 and its members.

    It does not look at all of a long value.
    """
    return _room_after(value, characters) < 0


def _parts(value: Any) -> Iterator[bytes]:
    if not is_longer(value, PIECE):
        yield orjson.dumps(value)
    elif isinstance(value, str):
        yield b'"'
        for start in range(0, len(value), PIECE):
            yield orjson.dumps(value[start : start + PIECE])[1:-1]
        yield b'"'
    elif isinstance(value, dict):
        for number, (key, member) in enumerate(value.items()):
            yield b"," if number else b"{"
            yield from _parts(key)
            yield b":"
            yield from _parts(member)
        yield b"}"
    else:
        for number, member in enumerate(value):
            yield b"," if number else b"["
            yield from _parts(member)
        yield b"]"


def _room_after(value: Any, room: int) -> int:
    """How much room the value's text leaves, roughly; below 0 where it is too long, which is found out without looking at all of it."""
    room -= len(value) if isinstance(value, str) else 8
    if isinstance(value, dict):
        room -= sum(map(len, value)) if len(value) <= room else room + 1
    if isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            if room < 0:
                break
            room = _room_after(member, room)
    return room
