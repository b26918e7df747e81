"""Reading JSON that strangers wrote: fast if it is well formed, tolerant if only a lenient parser accepts it.

orjson refuses half of a surrogate pair. A chunk holds one when a provider cuts a character in two. The standard parser accepts it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import orjson

from hop.slices import decode, read_in_slices

LONG = 64 * 1024
"""Bytes of a text that is read in slices: the streams beside it cannot wait for all of it."""


def read(text: bytes | str) -> Any:
    """The value that the text stands for. Raises ValueError if it is not JSON."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            return json.loads(text)
        except RecursionError:
            raise ValueError("it is nested too deep") from None


async def read_whole(text: bytes) -> Any:
    """The same of a text that may be long, which keeps no stream waiting. Raises ValueError where it is not JSON."""
    if len(text) <= LONG:
        return read(text)
    return await read_in_slices((await decode(text)).removeprefix("\ufeff"), tolerant=True)


def read_object(text: bytes | str) -> dict[str, Any] | None:
    """The object that the text stands for; None if it is not a JSON object."""
    try:
        value = read(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def read_objects(texts: Sequence[bytes]) -> list[dict[str, Any] | None]:
    """`read_object` for each of these texts, in one parse if that works."""
    try:
        values = orjson.loads(b"[%b]" % b",".join(texts))
    except orjson.JSONDecodeError:
        return [read_object(text) for text in texts]
    if len(values) != len(texts):
        return [read_object(text) for text in texts]  # one of them held two values, or none
    return [value if isinstance(value, dict) else None for value in values]
