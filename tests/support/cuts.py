"""Cuts a stream's bytes in the ways that a network may."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

from hypothesis import strategies as st

Cut = TypeVar("Cut", str, bytes)

PLACES = st.lists(st.integers(min_value=0, max_value=1_000_000), max_size=20)
"""Where to cut. A place beyond the end is taken modulo the length, so that one strategy works for streams of any length."""


def cut(data: Cut, places: Sequence[int]) -> list[Cut]:
    """The pieces between these places, including empty ones."""
    length: int = len(data)
    bounds = [0, *sorted(place % (length + 1) for place in places), length]
    return [data[start:stop] for start, stop in pairwise(bounds)]


def one_by_one(data: bytes) -> list[bytes]:
    """Each byte as a separate piece."""
    return [data[place : place + 1] for place in range(len(data))]
