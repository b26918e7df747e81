"""`Decoder` passes the event-stream cases of web-platform-tests (`eventsource_cases.py`), however their bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.cuts import PLACES, cut, one_by_one
from tests.wire.eventsource_cases import CASES, Case
from tests.wire.reference import Reading, decoded, plain_reading

each_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


def expected_of(case: Case) -> Reading:
    """The expected reading of a case, in the form that `decoded` returns."""
    return Reading(list(case.events), case.last_event_id, case.retry)


@each_case
def test_whole(case: Case) -> None:
    """A stream that arrives in one read gives the events that a browser must find."""
    assert expected_of(case) == decoded([case.stream])


@each_case
def test_byte_by_byte(case: Case) -> None:
    """A stream that arrives one byte at a time gives the same events."""
    assert expected_of(case) == decoded(one_by_one(case.stream))


@each_case
def test_with_a_read_that_ends_at_every_place(case: Case) -> None:
    """A stream cut in two at any position gives the same events."""
    for place in range(len(case.stream) + 1):
        assert expected_of(case) == decoded(cut(case.stream, [place]))


@given(case=st.sampled_from(CASES), places=PLACES)
def test_cut_at_random(case: Case, places: list[int]) -> None:
    """A stream cut at random gives the same events."""
    assert expected_of(case) == decoded(cut(case.stream, places))


@each_case
def test_the_plain_reading_agrees(case: Case) -> None:
    """The reference reader, which other tests compare with, passes these cases itself."""
    assert expected_of(case) == plain_reading(case.stream)
