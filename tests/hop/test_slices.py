"""`hop.slices` and `hop.pieces`: long texts are read and written as short ones are, with turns for the event loop in between."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hop.pieces import PIECE, write_in_pieces
from hop.slices import WINDOW, NotJson, TooDeep, decode, read_in_slices
from tests.support.passes import Passes

LONG = WINDOW // 3
TEXTS = st.text(max_size=40) | st.sampled_from(["é漢😀" * LONG, "a\n" * LONG, '"' * LONG, "\\\\" * LONG, "x" * WINDOW, ","])
SCALARS = TEXTS | st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=25)


@given(VALUES, st.booleans(), st.sampled_from([None, 1]), st.integers(1, 5000))
@settings(max_examples=40, deadline=None)
def test_it_is_read_as_the_standard_parser_reads_it(value: Any, ascii_only: bool, indent: int | None, times: int) -> None:
    """Whatever stands in it, and wherever the windows end."""
    text = json.dumps([value, [value] * min(times, 20), "x" * times, {"k": [times] * times}], ensure_ascii=ascii_only, indent=indent)
    assert asyncio.run(read_in_slices(text)) == json.loads(text)


@given(VALUES, st.integers(1, 5000))
@settings(max_examples=40, deadline=None)
def test_it_is_written_as_orjson_writes_it(value: Any, times: int) -> None:
    """Byte for byte."""
    whole = {"a": [value] * min(times, 20), "b": ["x" * times] * 50, "c": [], "d": {}, "e": value}
    assert asyncio.run(write_in_pieces(whole)) == orjson.dumps(whole)


SPACE = " " * (2 * WINDOW)


@pytest.mark.parametrize(
    "text", [f"{SPACE}[{SPACE}1{SPACE},{SPACE}2{SPACE}]{SPACE}", f'{SPACE}{{{SPACE}"a"{SPACE}:{SPACE}1{SPACE}}}{SPACE}']
)
async def test_space_of_any_length(text: str) -> None:
    """It stands for nothing."""
    assert await read_in_slices(text) == json.loads(text)


FILL = '"' + "x" * WINDOW + '"'


LISTS = ["[", f"[{FILL}", f"[{FILL},]", f"[{FILL} {FILL}]", f"[{FILL}}}", f"[NaN,{FILL}]", f"[-Infinity,{FILL}]", f"[1.,{FILL}]"]
OBJECTS = ["{", f"{{{FILL}}}", f"{{1:{FILL}}}", f"{{{FILL}:1", f"{{{FILL}:}}", f"{{{FILL}:1,}}"]
STRINGS = ["", FILL[:-1], FILL[:-1] + "\\", FILL[:-1] + "\\x" + FILL[1:], FILL[:-1] + "\n" + FILL[1:], FILL + FILL]


@pytest.mark.parametrize("text", [*LISTS, *OBJECTS, *STRINGS])
async def test_what_is_no_json(text: str) -> None:
    """It is refused as by the standard parser."""
    with pytest.raises(NotJson):
        await read_in_slices(text)


@pytest.mark.parametrize("text", ["[" * 100_000, "[" * 100_000 + "]" * 100_000, '{"a":' * 100_000])
async def test_levels_without_end(text: str) -> None:
    """They are refused before they can do harm."""
    with pytest.raises(TooDeep):
        await read_in_slices(text)


async def test_a_tolerant_reader_takes_what_providers_write() -> None:
    """Infinite logarithms of probabilities, halves of characters, and integers that nobody could write again, as floats."""
    text = f'[-Infinity, "\\ud83d", 123456789012345678901234567890, {FILL}]'
    assert (await read_in_slices(text, tolerant=True))[:3] == [float("-inf"), "\ud83d", 1.2345678901234568e29]


async def test_halves_of_characters_on_both_sides_of_a_cut() -> None:
    """A pair that is written as two escapes is one character wherever the window ends."""
    for filling in range(WINDOW - 14, WINDOW + 2):
        text = json.dumps("x" * filling + "😀" + "y" * WINDOW)
        assert await read_in_slices(text) == json.loads(text)


async def test_bytes_that_are_no_utf_8() -> None:
    """They are refused, and characters that are cut between two slices are whole again."""
    with pytest.raises(UnicodeDecodeError):
        await decode(b"x" * (8 * WINDOW) + b"\xff")
    text = "a" + "漢" * (8 * WINDOW)
    assert await decode(text.encode()) == text


MANY: dict[str, Any] = {
    "text": "x" * 1_000_000,
    "key": {"x" * 1_000_000: 1},
    "numbers": [1] * 500_000,
    "lists": [[]] * 300_000,
    "objects": [{"role": "user"}] * 50_000,
}


@pytest.mark.parametrize("value", MANY.values(), ids=MANY)
async def test_the_event_loop_has_its_turn(value: Any) -> None:
    """Once for each slice, in reading and in writing."""
    text = json.dumps(value)
    passes = Passes()
    assert await read_in_slices(text) == value
    assert passes.count > len(text) / WINDOW / 2
    before = passes.count
    assert len(await write_in_pieces(value)) <= len(text)
    assert passes.count - before > len(text) / PIECE / 4
    passes.stop()
