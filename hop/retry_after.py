"""When a server wants to be asked again: `Retry-After` in every form that servers write, as a bounded number of seconds.

Format: RFC 9110, 10.2.3, with the dates of 5.6.7 and what is written beside the standard: fractions, and `retry-after-ms`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

LONGEST_S = 3600.0
"""Whoever asks for more is asked again after this: the value may be a mistake, and nobody could tell."""
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """How many seconds to wait, from 0 to `LONGEST_S`; None if the server does not say, or not in a form that means anything.

    `headers` have their names in lower case. A moment in the past, and a negative number, mean now. A date is compared with the `Date` of
    the same response if there is one, since the server's clock may differ from ours. If there are several values, the longest counts.
    """
    seconds = _numbers(headers.get("retry-after-ms", ""))
    if seconds is not None:
        seconds /= 1000
    else:
        value = headers.get("retry-after", "")
        seconds = _numbers(value)
        if seconds is None and (moment := _moment(value)) is not None:
            now = _moment(headers.get("date", ""))
            seconds = moment - (time.time() if now is None else now)
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_S)


def _numbers(value: str) -> float | None:
    """The greatest of the numbers in a list; None if it is not one of numbers."""
    parts = [part.strip() for part in value.split(",")]
    return max(map(float, parts)) if all(map(_NUMBER.fullmatch, parts)) else None


def _moment(value: str) -> float | None:
    """An HTTP date, in one of its three formats, as Unix seconds."""
    try:
        moment = parsedate_to_datetime(value)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
