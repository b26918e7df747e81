"""`wire.timing`: the marks of a hop, on a clock that the tests control."""

from __future__ import annotations

import math
import time
from array import array
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import wire.timing
from wire.timing import MAX_ARRIVALS, HopMarks, now_ns, percentiles

MS = 1_000_000
"""One millisecond in nanoseconds."""


class Clock:
    """A monotonic clock that moves only when told to. Like a real one, it does not begin at 0."""

    def __init__(self) -> None:
        self.now = 5_000 * MS

    def __call__(self) -> int:
        return self.now

    def after(self, milliseconds: float) -> Clock:
        """Moves the clock forward."""
        self.now += round(milliseconds * MS)
        return self


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of all marks made in this test."""
    clock = Clock()
    monkeypatch.setattr(wire.timing, "now_ns", clock)
    return clock


def test_the_whole_record(clock: Clock) -> None:
    """Every duration counts from the request's arrival, in microseconds, and reads, bytes and chunks are counted separately."""
    marks = HopMarks("saas_api", received_ns=clock.now)
    begun = time.time()
    since = clock.after(1).now
    marks.sent()
    clock.after(2)
    marks.headers()
    clock.after(4)
    marks.arrived(1, 100)
    clock.after(0.5)
    marks.departed(1, since)
    clock.after(8)
    marks.arrived(0, 30)
    clock.after(16)
    marks.arrived(2, 70)
    clock.after(1.5)
    marks.departed(3, since)
    record: Any = marks.to_dict()
    assert begun == pytest.approx(record.pop("received_at"), abs=1)
    assert {
        "hop": "saas_api",
        "upstream_sent_us": 1_000,
        "upstream_headers_us": 3_000,
        "first_in_us": 7_000,
        "first_out_us": 7_500,
        "last_in_us": 31_500,
        "last_out_us": 33_000,
        "frames": 3,
        "bytes": 200,
        "reads": 3,
        "dwell_us": {"p50": 1_500, "p99": 1_500, "max": 1_500},
        "arrivals_us": [7_000, 31_500, 31_500],
    } == record


def test_what_never_happened_is_none() -> None:
    """The record of a hop without a chunk has None instead of zeros."""
    record: Any = HopMarks("client_server").to_dict()
    times = ("upstream_sent_us", "upstream_headers_us", "first_in_us", "first_out_us", "last_in_us", "last_out_us")
    assert [None] * 6 == [record[name] for name in times]
    assert (0, 0, 0, []) == (record["frames"], record["bytes"], record["reads"], record["arrivals_us"])
    assert {"p50": None, "p99": None, "max": None} == record["dwell_us"]


def test_received_at_is_the_requests_arrival(clock: Clock) -> None:
    """`received_at` is when the request arrived, not when the marks were made, in Unix seconds."""
    received = clock.now
    clock.after(2_000)
    marks = HopMarks("saas_api", received_ns=received)
    assert time.time() - 2 == pytest.approx(marks.to_dict()["received_at"], abs=1)


def test_without_a_request_time_begins_now() -> None:
    """Without an arrival time, marks count from when they are made."""
    before = now_ns()
    marks = HopMarks("saas_api")
    marks.sent()
    after = now_ns()
    record: Any = marks.to_dict()
    assert 0 <= record["upstream_sent_us"] <= (after - before) // 1000 + 1


def test_dwell_counts_from_the_moment_a_reader_was_there(clock: Clock) -> None:
    """A chunk that arrived before the reader counts as held only from the reader's coming; a later one counts from its own arrival."""
    marks = HopMarks("client_server", received_ns=clock.now)
    marks.arrived(2, 20)
    since = clock.after(60_000).now
    clock.after(3)
    marks.arrived(1, 10)
    clock.after(2)
    marks.departed(3, since)
    assert {"p50": 5_000, "p99": 5_000, "max": 5_000} == marks.to_dict()["dwell_us"]
    marks.arrived(1, 10)
    marks.departed(4, since)
    assert [5 * MS, 5 * MS, 2 * MS, 0] == list(marks._dwell)


def test_a_resumed_reader_changes_nothing(clock: Clock) -> None:
    """Only the first departure of a frame counts, not one to a second or reconnected tab."""
    marks = HopMarks("client_server", received_ns=clock.now)
    marks.arrived(2, 20)
    marks.departed(2, clock.now)
    before: Any = marks.to_dict()
    since = clock.after(500).now
    for upto in (0, 1, 2):
        marks.departed(upto, since)
    assert before == marks.to_dict()
    clock.after(10)
    marks.arrived(1, 10)
    clock.after(1)
    marks.departed(3, since)
    record: Any = marks.to_dict()
    assert 511_000 == record["last_out_us"]
    assert {"p50": 0, "p99": 1_000, "max": 1_000} == record["dwell_us"]


def test_departure_is_when_the_frames_were_handed_over(clock: Clock) -> None:
    """A departure counts from the hand-over of the frames, so a writer that is paused before it notes this adds no dwell."""
    marks = HopMarks("saas_api")
    marks.arrived(1, 10)
    begun = clock.now
    clock.now += 2_000
    handed = clock.now
    clock.now += 50_000_000
    marks.departed(1, begun, handed)
    record: Any = marks.to_dict()
    assert record["first_out_us"] == record["last_out_us"] == record["first_in_us"] + 2
    assert record["dwell_us"]["max"] == 2


def test_frames_that_did_not_arrive_are_not_counted_as_departed(clock: Clock) -> None:
    """The hop's own frames (receipt, hop) have indices but never arrived, so they are not counted as departed."""
    marks = HopMarks("saas_api", received_ns=clock.now)
    marks.departed(1, clock.now)
    assert marks.to_dict()["first_out_us"] is None
    marks.arrived(1, 10)
    marks.departed(3, clock.now)
    left: Any = marks.to_dict()
    clock.after(5)
    marks.departed(3, clock.now)
    assert left == marks.to_dict()
    assert (1, 0) == (left["frames"], left["dwell_us"]["max"])


@pytest.mark.parametrize("chunks", [1, 3])
def test_only_the_first_arrivals_are_listed(clock: Clock, chunks: int) -> None:
    """Only the first 2,048 arrivals are listed, however many come per read; the counts, last arrival and dwell cover all chunks."""
    begun = clock.now
    marks = HopMarks("saas_api", received_ns=begun)
    for _ in range(3_000 // chunks):
        clock.after(1)
        marks.arrived(chunks, 10)
    marks.departed(3_000, begun)
    record: Any = marks.to_dict()
    assert 2_048 == MAX_ARRIVALS == len(record["arrivals_us"])
    assert [(1 + index // chunks) * 1_000 for index in range(2_048)] == record["arrivals_us"]
    assert (3_000, 3_000 // chunks * 1_000) == (record["frames"], record["last_in_us"])
    assert (3_000 // chunks - 1) * 1_000 == record["dwell_us"]["max"]


def test_says_when_it_was_resumed() -> None:
    """The record has `resumed` only if the hop joined the answer in the middle."""
    assert HopMarks("client_server", resumed=True).to_dict()["resumed"] is True
    assert "resumed" not in HopMarks("client_server").to_dict()


def test_server_timing(clock: Clock) -> None:
    """The header has the hop's total and, if there was a first chunk, the wait for it, in milliseconds."""
    marks = HopMarks("saas_api", received_ns=clock.now)
    clock.after(1)
    marks.sent()
    assert "saas_api;dur=1.000" == marks.server_timing()
    clock.after(300.25)
    marks.arrived(1, 10)
    clock.after(10)
    assert "saas_api;dur=311.250, upstream;dur=300.250" == marks.server_timing()


STEPS = st.lists(
    st.tuples(st.sampled_from(["arrived", "departed", "reader"]), st.integers(0, 5), st.integers(0, 10_000)),
    max_size=60,
)


@given(steps=STEPS)
@example(steps=[("arrived", 1, 10), ("departed", 1, 0), ("arrived", 3, 999), ("reader", 0, 1), ("departed", 5, 1)])
def test_durations_are_consistent(steps: list[tuple[str, int, int]]) -> None:
    """For any events in any order, arrivals rise, no chunk leaves before it came, and no dwell is negative or longer than the stay."""
    marks = HopMarks("saas_api")
    since, written = now_ns(), 0
    for step, number, size in steps:
        if step == "arrived":
            marks.arrived(number, size)
            written += number
        elif step == "departed":
            marks.departed(number * 2, since)
        else:
            since = now_ns()
    record: Any = marks.to_dict()
    arrivals = record["arrivals_us"]
    assert written == record["frames"] == len(arrivals)
    assert sorted(arrivals) == arrivals
    assert sum(size for step, _, size in steps if step == "arrived") == record["bytes"]
    assert sum(step == "arrived" for step, _, _ in steps) == record["reads"]
    if arrivals:
        assert (arrivals[0], arrivals[-1]) == (record["first_in_us"], record["last_in_us"])
    if record["first_out_us"] is not None:
        assert 0 <= record["first_in_us"] <= record["first_out_us"] <= record["last_out_us"]
        dwell = record["dwell_us"]
        assert 0 <= dwell["p50"] <= dwell["p99"] <= dwell["max"] <= record["last_out_us"] - record["first_in_us"] + 1


@given(values=st.lists(st.integers(0, 10**12), min_size=1, max_size=450))
@example(values=[*range(0, 100_000, 1000)])
@example(values=[*range(0, 200_000, 1000)])
@example(values=[1_000, 2_000])
def test_percentiles_are_by_nearest_rank(values: list[int]) -> None:
    """The p-th percentile is the smallest value such that at least p percent of all values are not larger, in microseconds."""

    def plain(percent: int) -> int:
        rank = math.ceil(Fraction(percent, 100) * len(values))
        return sorted(values)[rank - 1] // 1000

    assert {"p50": plain(50), "p99": plain(99), "max": plain(100)} == percentiles(array("q", values))
