"""The ways in which a network may cut a stream's bytes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

from hypothesis import strategies as st

Cut = TypeVar("Cut", str, bytes)

PLACES = st.lists(st.integers(min_value=0, max_value=1_000_000), max_size=20)
"""Where to cut; a place beyond the end is taken modulo the length, so that one strategy serves streams of any length."""


def cut(data: Cut, places: Sequence[int]) -> list[Cut]:
    """The pieces between these places, empty ones among them."""
    length: int = len(data)
    bounds = [0, *sorted(place % (length + 1) for place in places), length]
    return [data[start:stop] for start, stop in pairwise(bounds)]


def one_by_one(data: bytes) -> list[bytes]:
    """Every byte alone."""
    return [data[place : place + 1] for place in range(len(data))]
