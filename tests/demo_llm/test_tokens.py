"""Text is cut into pieces that look like tokens, join to the same text, and never end inside a visible character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo_llm.tokens import count, count_prompt, graphemes, split

WHOLE = [
    "e\u0301",
    "👩‍🚀",
    "👨‍👩‍👧‍👦",
    "👍🏽",
    "🇫🇷",
    "❤️",
    "1️⃣",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "क्षि",
    "กำ",
    "각",
    "각",
    "\r\n",
    "ﾊﾟ",
    "Z͑ͫ̓",
    "\u0600١",
    "🏳️‍🌈",
]


@given(st.text())
def test_tokens_join_to_the_text(text: str) -> None:
    """For any text, no character is added, lost or moved."""
    assert "".join(split(text)) == text
    assert "".join(graphemes(text)) == text
    assert all(split(text))


@given(st.text(st.sampled_from(" \n\r\tabcXYZ0129.,;|`*{}[]\x00\x7f"), max_size=60))
def test_ascii_tokens_join_to_the_text(text: str) -> None:
    """The faster path for ASCII text loses nothing either."""
    assert "".join(split(text)) == text


@given(st.lists(st.sampled_from([*WHOLE, "a", " ", "東", "é", "9", ".", "\n"]), max_size=30))
def test_no_visible_character_is_cut(parts: list[str]) -> None:
    """A visible character of several code points is always inside one token, whatever is beside it."""
    text = "".join(parts)
    ends, place = set(), 0
    for token in split(text):
        place += len(token)
        ends.add(place)
    place = 0
    for part in parts:
        assert not ends & set(range(place + 1, place + len(part)))
        place += len(part)


@pytest.mark.parametrize("character", WHOLE)
def test_a_visible_character_is_one_token(character: str) -> None:
    """Marks, joiners, flags, jamo and the like stay with their base character."""
    assert list(graphemes(character)) == [character]


def test_flags_are_cut_in_pairs() -> None:
    """Two flags side by side are two characters, neither one nor four."""
    assert list(graphemes("🇫🇷🇯🇵🇩🇪")) == ["🇫🇷", "🇯🇵", "🇩🇪"]


def test_tokens_look_like_tokens() -> None:
    """A word keeps the space before it, long words and numbers are split, and signs are separate tokens."""
    assert split("The quick gateway, 12345 streams!\n\nNext") == [
        "The",
        " quick",
        " gatewa",
        "y",
        ",",
        " 123",
        "45",
        " stream",
        "s",
        "!",
        "\n\n",
        "Next",
    ]
    assert split("héllo 東京 ok") == ["héllo", " ", "東", "京", " ok"]


def test_indentation_is_few_tokens() -> None:
    """The indentation of code is one token, except for the last space, which belongs to the first word."""
    assert split("        return x") == ["       ", " return", " x"]


def test_a_very_long_prompt_is_counted_by_its_beginning() -> None:
    """The count for a megabyte is in proportion to the text and takes little time."""
    short = "streaming and resuming, 100 times."
    assert count_prompt([short * 30_000]) == pytest.approx(30_000 * count(short), rel=0.01)
