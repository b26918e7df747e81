"""When a server wants to be asked again: `Retry-After` in every form that servers write, as a bounded number of seconds.

Format: RFC 9110, 10.2.3, with the dates of 5.6.7 and what is written beside the standard: fractions, units (`5s`, `1m30s`), a moment in
Unix time, and `retry-after-ms`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

LONGEST_S = 3600.0
"""Whoever asks for more is asked again after this: the value may be a mistake, and nobody could tell."""
_FIRST_MOMENT_S = 1e9
_FIRST_MOMENT_MS = 1e11
"""Numbers above these are moments in Unix time, in seconds and in milliseconds: nobody means a wait of thirty years."""

_FIGURE = r"(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)"
_UNIT = r"milliseconds?|millis|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d"
_NUMBER = re.compile(rf"[+-]?{_FIGURE}")
_TIMED = re.compile(rf"({_FIGURE})\s*+({_UNIT})(?![a-z])\s*+", re.ASCII | re.IGNORECASE)
_TIMES = re.compile(rf"(?:{_TIMED.pattern})++", re.ASCII | re.IGNORECASE)
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BETWEEN = re.compile(r"(?<!\b[MTWFS][a-z]{2})(?<![A-Za-z]{3}day),")
"""The commas of a list: the one within a date stands behind its weekday."""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """How many seconds to wait, from 0 to `LONGEST_S`; None if the server does not say, or not in a form that means anything.

    `headers` have their names in lower case. A moment in the past, and a negative number, mean now. A moment is compared with the `Date` of
    the same response if there is one, since the server's clock may differ from ours. If there are several values, the longest counts.
    """
    date = _moment(headers.get("date", ""))
    now = time.time() if date is None else date
    seconds = _longest(headers.get("retry-after-ms", ""), 1000, now)
    if seconds is None:
        seconds = _longest(headers.get("retry-after", ""), 1, now)
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_S)


def _longest(value: str, per_second: int, now: float) -> float | None:
    """The longest wait in a list; None if one of them is none."""
    waits = [_wait(part.strip(), per_second, now) for part in _BETWEEN.split(value)]
    known = [wait for wait in waits if wait is not None]
    return max(known) if len(known) == len(waits) else None


def _wait(text: str, per_second: int, now: float) -> float | None:
    """Seconds from `now` on. A number without a unit counts so many to the second."""
    if _NUMBER.fullmatch(text):
        seconds = float(text) / per_second
        if seconds <= _FIRST_MOMENT_S:
            return seconds
        return (seconds / 1000 if seconds > _FIRST_MOMENT_MS else seconds) - now
    if _TIMES.fullmatch(text):
        return sum(float(figure) * _in_seconds(unit.lower()) for figure, unit in _TIMED.findall(text))
    moment = _moment(text)
    return None if moment is None else moment - now


def _in_seconds(unit: str) -> float:
    return 0.001 if unit.startswith(("ms", "milli")) else _SECONDS[unit[0]]


def _moment(value: str) -> float | None:
    """An HTTP date, in one of its three formats, as Unix seconds."""
    try:
        moment = parsedate_to_datetime(value)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
