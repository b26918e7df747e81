"""Reading a long JSON text without keeping the event loop from its other work.

Strategy. The C parser holds the interpreter from a text's first byte to its last, in any thread. So a long text is read in windows. What
ends within a window is one call of the parser's. Of what does not, a list or an object is entered and its members are read one by one, and
strings are put together from pieces. Between two windows the event loop has its turn. Of a key that an object holds twice the last value
counts, as everywhere in Python.
"""

from __future__ import annotations

import asyncio
import codecs
import json
import re
from collections.abc import Callable, Generator
from typing import Any, NoReturn

WINDOW = 16 * 1024
"""Characters that are parsed at once: a millisecond or two for what takes longest."""
MEMBERS = 250
"""Members of a list or an object that are read between two looks at the event loop, where they are read one by one."""
MAX_LEVELS = 250

Check = Callable[[Any, int, str], None]
"""Looks at a value that was parsed at once, the number of levels around it, and its text; raises what it likes."""
Work = Generator[None, None, Any]

_AFTER = frozenset(",]} \t\n\r")
_SPACE = re.compile(rf"[ \t\n\r]{{0,{WINDOW}}}")
_HIGH, _LOW, _UNIT = r"\\u[dD][89abAB][0-9a-fA-F]{2}", r"\\u[dD][c-fC-F][0-9a-fA-F]{2}", r"\\u[0-9a-fA-F]{4}"
_WHOLE = re.compile(rf'(?:[^"\\]++|{_HIGH}{_LOW}|{_HIGH}(?=[^\\]|\\[^u]|{_UNIT})|(?!{_HIGH}){_UNIT}|\\[^u])*+', re.DOTALL)
"""The part of a string that ends in no escape, and between no two halves of a character."""


async def decode(body: bytes, encoding: str = "utf-8") -> str:
    """The text that these bytes are. Raises UnicodeDecodeError, which is a ValueError."""
    decoding = codecs.getincrementaldecoder(encoding)()
    parts = []
    for start in range(0, len(body), 4 * WINDOW):
        parts.append(decoding.decode(body[start : start + 4 * WINDOW]))
        await asyncio.sleep(0)
    return "".join(parts) + decoding.decode(b"", final=True)


async def read_in_slices(text: str, *, tolerant: bool = False, check: Check | None = None) -> Any:
    """The value that the text stands for; `tolerant`: as `hop.json.read` takes it. Raises NotJson, TooDeep, ValueError
    for a number of too many digits, and what `check` raises."""
    work = _Text(text, tolerant, check).whole()
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value
        await asyncio.sleep(0)


class NotJson(ValueError):
    """It is no JSON text."""


class TooDeep(ValueError):
    """More levels than any hop writes."""


class _Text:
    """A text, and how far it has been read."""

    def __init__(self, text: str, tolerant: bool, check: Check | None) -> None:
        self._text = text
        self._at = 0
        self._window = ""
        self._base = 0
        self._scan = _scanner(_TOLERANT if tolerant else _STRICT)
        self._check = check

    def whole(self) -> Work:
        """Reads all of it."""
        while self._space():
            yield
        value = yield from self._value(0)
        while self._space():
            yield
        if self._at < len(self._text):
            _refuse()
        return value

    def _value(self, level: int) -> Work:
        """The next value, which begins here; `level` is the number of those around it."""
        found = self._in_window(level)
        if found is _LONGER:
            yield
            self._move_window()
            found = self._in_window(level)
        if found is not _LONGER:
            return found
        first = self._window[:1]
        if first in ("[", "{") and level >= MAX_LEVELS:
            raise TooDeep
        if first == '"':
            return (yield from self._string(level))
        if first == "[":
            return (yield from self._list(level + 1))
        if first == "{":
            return (yield from self._object(level + 1))
        return _refuse()

    def _move_window(self) -> None:
        self._base, self._window = self._at, self._text[self._at : self._at + WINDOW]

    def _in_window(self, level: int) -> Any:
        """The next value, or _LONGER where it does not end before the window does."""
        start = self._at - self._base
        if start >= len(self._window):
            return _LONGER
        try:
            value, end = self._scan(self._window, start)
        except (json.JSONDecodeError, StopIteration):
            return _LONGER
        except RecursionError:
            raise TooDeep from None
        if isinstance(value, int | float) and self._window[end : end + 1] not in _AFTER and self._base + end < len(self._text):
            return _LONGER  # the window may end in the middle of a number
        self._at = self._base + end
        if self._check is not None:
            self._check(value, level, self._window[start:end])
        return value

    def _several(self, level: int) -> list[Any]:
        """The members of a list up to the last comma of a new window, where that stands between two of them; otherwise none.

        It does where the text up to it is a list's: a JSON text cannot be read in two ways.
        """
        self._move_window()
        cut = max(0, self._window.rfind(","))
        text = f"[{self._window[:cut]}]"
        try:
            values, end = self._scan(text, 0)
        except (json.JSONDecodeError, StopIteration, RecursionError):
            return []
        if not values or end < len(text):
            return []
        if self._check is not None:
            self._check(values, level - 1, text)
        self._at += cut + 1
        return list(values)

    def _string(self, level: int) -> Work:
        self._at += 1
        parts: list[str] = []
        while True:
            piece = self._text[self._at : self._at + WINDOW]
            end = _match_end(_WHOLE, piece)
            ended = piece[end : end + 1] == '"'
            if not ended and not end:
                _refuse()
            try:
                part, _ = self._scan(f'"{piece[:end]}"', 0)
            except ValueError:
                _refuse()
            if self._check is not None:
                self._check(part, level, "")
            parts.append(part)
            self._at += end + ended
            if ended:
                return "".join(parts)
            yield

    def _list(self, level: int) -> Work:
        items: list[Any] = []
        self._at += 1
        while self._space():
            yield
        if self._text.startswith("]", self._at):
            self._at += 1
            return items
        while True:
            value = self._in_window(level)
            if value is _LONGER:
                yield
                if several := self._several(level):
                    items += several
                    while self._space():
                        yield
                    continue
                value = yield from self._value(level)
            items.append(value)
            while self._space():
                yield
            if self._is_last("]"):
                return items
            while self._space():
                yield
            if not len(items) % MEMBERS:
                yield

    def _object(self, level: int) -> Work:
        members: dict[str, Any] = {}
        self._at += 1
        while self._space():
            yield
        if self._text.startswith("}", self._at):
            self._at += 1
            return members
        while True:
            key = yield from self._value(level)
            while self._space():
                yield
            if not isinstance(key, str) or not self._text.startswith(":", self._at):
                _refuse()
            self._at += 1
            while self._space():
                yield
            members[key] = yield from self._value(level)
            while self._space():
                yield
            if self._is_last("}"):
                return members
            while self._space():
                yield
            if not len(members) % MEMBERS:
                yield

    def _is_last(self, end: str) -> bool:
        """Takes what stands behind a member: the comma before the next one, or the end."""
        found = self._text[self._at : self._at + 1]
        if found not in (",", end):
            _refuse()
        self._at += 1
        return found == end

    def _space(self) -> bool:
        """Skips space; whether there may be more of it."""
        end = _match_end(_SPACE, self._text, self._at)
        skipped, self._at = end - self._at, end
        return skipped == WINDOW


_LONGER: Any = object()


def _match_end(pattern: re.Pattern[str], text: str, start: int = 0) -> int:
    found = pattern.match(text, start)
    return start if found is None else found.end()


def _refuse(_constant: str = "") -> NoReturn:
    raise NotJson


def _integer(digits: str) -> int | float:
    """As orjson reads it: one beyond 64 bits is a float, since nobody could write it again."""
    number = int(digits) if len(digits) < _LONGEST_INTEGER else float(digits)
    return number if -(2**63) <= number < 2**64 else float(number)


def _scanner(of: Any) -> Callable[[str, int], tuple[Any, int]]:
    """The parser of one value, which is not in the typed part of the standard library."""
    scan: Callable[[str, int], tuple[Any, int]] = of.scan_once
    return scan


_LONGEST_INTEGER = 22
_STRICT = json.JSONDecoder(parse_constant=_refuse)
_TOLERANT = json.JSONDecoder(parse_int=_integer)
