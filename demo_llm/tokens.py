"""Cuts text into pieces that look like a model's tokens, and counts them.

Strategy. Real tokenizers need megabytes of tables. A reader only needs pieces of a few letters that keep their leading space and
join to exactly the same text. No piece may end inside a character that a person sees as one. The rules below are coarser than those of
Unicode's grapheme clusters (https://www.unicode.org/reports/tr29/), so they keep every cluster whole. Nearly all text is plain
ASCII; for that, one regular expression is enough.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

_LETTERS, _DIGITS, _SIGNS, _BLANK, _BREAK, _WIDE = range(6)
_LIMITS: Mapping[int, int] = {_LETTERS: 6, _DIGITS: 3, _SIGNS: 3, _BLANK: 8, _BREAK: 4, _WIDE: 1}
"""The most characters of each kind in one token."""

_ASCII = re.compile(r" ?[A-Za-z]{1,6}| ?[0-9]{1,3}| ?[!-/:-@\[-`{-~]{1,3}|\n{1,4}| {1,8}(?= )|[\x00- \x7f]")
_ZWJ = "\u200d"
_PREPENDED = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\u0d4e\U000110bd\U000110cd\U000111c2\U000111c3")
_TOKENS_PER_MESSAGE = 3
_TOKENS_OF_REPLY = 3
_COUNTED = 20_000
"""The count for a longer message is extrapolated from this many characters, so that a prompt of a megabyte does not delay other streams."""


def split(text: str) -> list[str]:
    """The text's tokens. Joined, they are the text. An empty text has none."""
    if text.isascii() and "\r" not in text:
        return _ASCII.findall(text)
    return list(_tokens(text))


def count(text: str) -> int:
    """How many tokens the text has."""
    return len(split(text))


def count_prompt(texts: Sequence[str]) -> int:
    """Tokens of a conversation's messages, with the overhead per message that OpenAI's cookbook gives for chat models."""
    return _TOKENS_OF_REPLY + sum(_TOKENS_PER_MESSAGE + _estimate(text) for text in texts)


def _estimate(text: str) -> int:
    return count(text) if len(text) <= _COUNTED else count(text[:_COUNTED]) * len(text) // _COUNTED


def graphemes(text: str) -> Iterator[str]:
    """The text in pieces of one visible character each. A piece is sometimes a few characters, but never part of one."""
    start = flags = 0
    for index in range(1, len(text)):
        before, after = text[index - 1], text[index]
        flags = flags + 1 if _is_flag_half(before) else 0
        if not _joined(before, after) and not (flags % 2 and _is_flag_half(after)):
            yield text[start:index]
            start = index
    if text:
        yield text[start:]


def _tokens(text: str) -> Iterator[str]:
    piece, kind, size = "", _BLANK, 0
    for grapheme in graphemes(text):
        now = _kind(grapheme[0])
        led_by_space = piece == " " and now in (_LETTERS, _DIGITS, _SIGNS)
        if piece and not led_by_space and (now != kind or size >= _LIMITS[kind]):
            yield piece
            piece, size = "", 0
        if led_by_space:
            size = 0
        piece, kind, size = piece + grapheme, now, size + 1
    if piece:
        yield piece


@lru_cache(maxsize=8192)
def _kind(character: str) -> int:
    if character in "\r\n":
        return _BREAK
    if character.isspace():
        return _BLANK
    if character.isdecimal():
        return _DIGITS
    if unicodedata.east_asian_width(character) in "WF":
        return _WIDE
    return _LETTERS if character.isalpha() else _SIGNS


def _joined(before: str, after: str) -> bool:
    """Whether the two characters must stay together."""
    if before.isascii() and after.isascii():
        return before == "\r" and after == "\n"
    return _extends(after) or before == _ZWJ or before in _PREPENDED or unicodedata.combining(before) == 9 or _hangul(before, after)


@lru_cache(maxsize=8192)
def _extends(character: str) -> bool:
    """Whether the character belongs to the one before it: marks, joiners, skin tones, tags, and letters that are written as marks."""
    skin_or_tag = "\U0001f3fb" <= character <= "\U0001f3ff" or "\U000e0020" <= character <= "\U000e007f"
    return skin_or_tag or character in "\u200c\u200d\u0e33\u0eb3\uff9e\uff9f" or unicodedata.category(character) in ("Mn", "Mc", "Me")


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _is_jamo(character: str) -> bool:
    return "\u1100" <= character <= "\u11ff" or "\ua960" <= character <= "\ua97f" or "\ud7b0" <= character <= "\ud7ff"


def _hangul(before: str, after: str) -> bool:
    """Whether both belong to one Korean syllable: two jamo, or a jamo beside a composed syllable."""
    if _is_jamo(after):
        return _is_jamo(before) or "\uac00" <= before <= "\ud7a3"
    return _is_jamo(before) and "\uac00" <= after <= "\ud7a3"
