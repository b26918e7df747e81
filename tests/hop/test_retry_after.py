"""`hop.retry_after`: whatever a server writes, the answer is a bounded number of seconds, or that it does not say."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hop.retry_after import LONGEST_S, retry_after

NOW = "Sun, 06 Nov 1994 08:49:00 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("5", 5.0),
        ("0", 0.0),
        ("007", 7.0),
        ("12.5", 12.5),
        (".25", 0.25),
        ("3.", 3.0),
        ("+4", 4.0),
        (" 7 ", 7.0),
        ("5, 9, 7", 9.0),
        ("-3", 0.0),
        ("3600.1", LONGEST_S),
        ("9" * 5000, LONGEST_S),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 37.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 37.0),
        ("Sun Nov  6 08:49:37 1994", 37.0),
        ("Sun, 06 Nov 1994 10:49:37 +0200", 37.0),
        ("Sun, 06 Nov 1994 08:48:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_S),
    ],
)
def test_each_form_is_read(value: str, seconds: float) -> None:
    """Whole and broken seconds, a list, and a date in each format of HTTP; the past is now, and an age is an hour."""
    assert seconds == retry_after({"retry-after": value, "date": NOW})


@pytest.mark.parametrize("value", ["", "soon", "nan", "inf", "-inf", "1e3", "1_0", "0x10", "\u00b2", "5 s", "-", ".", "5,", "a b c d e"])
def test_nonsense_says_nothing(value: str) -> None:
    """What is neither a number nor a date is no answer, even if Python would take it for a number."""
    assert retry_after({"retry-after": value}) is None


def test_milliseconds_come_first() -> None:
    """They are more exact. If they mean nothing, the seconds count."""
    assert 0.25 == retry_after({"retry-after-ms": "250", "retry-after": "1"})
    assert 3.0 == retry_after({"retry-after-ms": "x", "retry-after": "3"})
    assert LONGEST_S == retry_after({"retry-after-ms": "9" * 30})


@pytest.mark.parametrize("date", [{}, {"date": "yesterday"}])
def test_without_its_own_clock_ours_counts(date: dict[str, str]) -> None:
    """A date needs another to be compared with."""
    in_a_minute = format_datetime(datetime.fromtimestamp(time.time() + 60, UTC), usegmt=True)
    seconds = retry_after({"retry-after": in_a_minute} | date)
    assert seconds is not None
    assert 50 < seconds <= 60


def test_no_header_says_nothing() -> None:
    """The caller then has its own idea."""
    assert retry_after({}) is None


@given(st.text(st.characters(max_codepoint=255)), st.text(st.characters(max_codepoint=255)))
def test_nothing_upsets_it(value: str, date: str) -> None:
    """Any text is bounded or nothing."""
    for name in ("retry-after", "retry-after-ms"):
        seconds = retry_after({name: value, "date": date})
        assert seconds is None or 0 <= seconds <= LONGEST_S
