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
        ("5s", 5.0),
        ("5 s", 5.0),
        ("5 seconds", 5.0),
        ("1 Second", 1.0),
        ("2.5sec", 2.5),
        ("250ms", 0.25),
        ("1500 milliseconds", 1.5),
        ("2m", 120.0),
        ("1m30s", 90.0),
        ("1 min 30 s", 90.0),
        ("6m0s", 360.0),
        ("1h", LONGEST_S),
        ("1 day", LONGEST_S),
        ("5s, 9 seconds, 7", 9.0),
        ("1 sec, 1 min", 60.0),
        ("1 day, 5", LONGEST_S),
        ("5, Fri, 31 Dec 2099 23:59:59 GMT", LONGEST_S),
        ("Sun, 06 Nov 1994 08:49:37 GMT, 5", 37.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT,50", 50.0),
        ("Sun, 06 Nov 1994 08:49:07 GMT, Sun, 06 Nov 1994 08:49:37 GMT", 37.0),
    ],
)
def test_each_form_is_read(value: str, seconds: float) -> None:
    """Whole and broken seconds, units, a list, and a date in each format of HTTP; the past is now, and an age is an hour."""
    assert seconds == retry_after({"retry-after": value, "date": NOW})


@pytest.mark.parametrize(
    "value", ["", "soon", "nan", "inf", "-inf", "1e3", "1_0", "0x10", "\u00b2", "5 x", "s", "-", ".", "5,", "5 sx", "a b c d e"]
)
def test_nonsense_says_nothing(value: str) -> None:
    """What is neither a number nor a date is no answer, even if Python would take it for a number."""
    assert retry_after({"retry-after": value}) is None


def test_milliseconds_come_first() -> None:
    """They are more exact. If they mean nothing, the seconds count."""
    assert 0.25 == retry_after({"retry-after-ms": "250", "retry-after": "1"})
    assert 3.0 == retry_after({"retry-after-ms": "x", "retry-after": "3"})
    assert LONGEST_S == retry_after({"retry-after-ms": "9" * 30})
    assert 5.0 == retry_after({"retry-after-ms": "1735689605000", "date": "Wed, 01 Jan 2025 00:00:00 GMT"})


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1735689660", 60.0),
        ("1735689660.5", 60.5),
        ("1735689660000", 60.0),
        ("1735689540", 0.0),
        ("1735776000", LONGEST_S),
        ("1000000000", LONGEST_S),
        ("5, 1735689660", 60.0),
    ],
)
def test_a_great_number_is_a_moment(value: str, seconds: float) -> None:
    """It is read as Unix time, in seconds or milliseconds, and compared with the server's clock; a smaller one is a wait."""
    assert seconds == retry_after({"retry-after": value, "date": "Wed, 01 Jan 2025 00:00:00 GMT"})


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


@given(
    st.one_of(
        st.text(st.characters(max_codepoint=255)),
        st.text("0123456789. ,+-smhdSundayſ"),
        st.from_regex(r"([0-9.]{1,9} ?[a-zſ]{1,4},? ?){1,3}"),
    ),
    st.text(st.characters(max_codepoint=255)),
)
def test_nothing_upsets_it(value: str, date: str) -> None:
    """Any text is bounded or nothing."""
    for name in ("retry-after", "retry-after-ms"):
        seconds = retry_after({name: value, "date": date})
        assert seconds is None or 0 <= seconds <= LONGEST_S
