"""`hop.shelf`: which logs go when memory is short, who is refused, and that nothing is counted that is gone."""

from __future__ import annotations

import asyncio
import weakref

import pytest

from hop.shelf import STEP, Shelf
from wire.errors import ErrorCode, WireError
from wire.log import FRAME_OVERHEAD, Ending, Outcome, StreamLog

FRAME = b"data: " + b"x" * (STEP - FRAME_OVERHEAD - 8) + b"\n\n"
"""It takes exactly `STEP` bytes of a log."""
DONE = Ending(Outcome.FINISHED, b"data: [DONE]\n\n")


class Place:
    """A shelf, and logs on it by name."""

    def __init__(self, *, total: int, owner: int, retention_s: float = 60) -> None:
        self.shelf = Shelf(total_bytes=total * STEP, owner_bytes=owner * STEP, retention_s=retention_s)
        self.logs: dict[str, StreamLog] = {}
        self.gone: list[str] = []

    def run(self, name: str, frames: int, owner: str = "me") -> StreamLog:
        """A running log with so many frames."""
        self.shelf.check(owner)
        log = self.logs[name] = StreamLog(account=self.shelf.account(owner))
        for _ in range(frames):
            log.append([FRAME])
        return log

    def end(self, name: str, beside: int = 0) -> None:
        """The log's stream ends in order."""
        self.logs[name].end(DONE)

        def expired() -> WireError:
            self.gone.append(name)
            return WireError(ErrorCode.STREAM_EXPIRED, "Gone.")

        self.shelf.keep(self.logs[name], expired, beside=beside)


async def test_the_oldest_ended_log_of_the_owner_goes_first() -> None:
    """A log that grows beyond its owner's bound takes the room of the oldest ended ones; other owners keep theirs."""
    place = Place(total=100, owner=4)
    place.run("other", 3, "somebody")
    place.end("other")
    for name in ("a", "b"):
        place.run(name, 1)
    place.end("b")
    place.end("a")
    place.run("c", 3)
    assert place.gone == ["b"]
    place.logs["c"].append([FRAME])
    assert place.gone == ["b", "a"]
    assert [len(place.logs[name]) for name in ("a", "b", "c", "other")] == [0, 0, 4, 3]
    assert place.shelf.held == 7 * STEP


async def test_the_oldest_ended_log_of_all_goes_first() -> None:
    """Beyond the total, the oldest ended logs go, whoever's they are, and running ones stay."""
    place = Place(total=6, owner=4)
    place.run("running", 2, "first")
    for name, owner in (("x", "a"), ("y", "b")):
        place.run(name, 2, owner)
        place.end(name)
    place.run("new", 2, "c")
    assert place.gone == ["x"]
    assert len(place.logs["running"]) == 2
    assert place.shelf.held == 6 * STEP


async def test_a_reader_of_a_log_that_goes_is_told() -> None:
    """A reader that had not read all gets an end that says so, instead of the stream's own."""
    place = Place(total=100, owner=2)
    reader = place.run("a", 2).reader()
    place.end("a")
    reader.take()
    place.run("b", 1)
    assert reader.take() == []
    assert place.logs["a"].ending is not None
    assert b"stream_expired" in place.logs["a"].ending.trailer
    assert place.logs["a"].ending.outcome is Outcome.FINISHED


async def test_running_logs_refuse_new_ones_and_then_fail() -> None:
    """At three quarters of its bound an owner starts nothing new, and beyond the bound its append is refused and changes nothing."""
    place = Place(total=100, owner=4)
    place.run("a", 3)
    with pytest.raises(WireError) as refused:
        place.run("b", 1)
    assert (refused.value.code, refused.value.retry_after) == (ErrorCode.RATE_LIMITED, 5.0)
    place.run("other", 1, "somebody")
    place.logs["a"].append([FRAME])
    with pytest.raises(WireError) as full:
        place.logs["a"].append([FRAME])
    assert full.value.code is ErrorCode.RATE_LIMITED
    assert len(place.logs["a"]) == 4
    assert place.logs["a"].held == 4 * STEP
    place.end("a")
    place.run("b", 1)


async def test_a_crowd_is_safe_from_a_few() -> None:
    """Beyond the total, an owner who holds more than the average may not grow, and one who holds less may."""
    place = Place(total=10, owner=8)
    place.run("large", 8, "large")
    for name in ("s1", "s2"):
        place.run(name, 1, name)
    place.logs["s1"].append([FRAME])
    with pytest.raises(WireError):
        place.run("more", 1, "large")
    with pytest.raises(WireError):
        place.logs["large"].append([FRAME])
    assert len(place.logs["s1"]) == 2


async def test_closing_frames_are_always_taken() -> None:
    """What a stream cost is told whatever it holds."""
    place = Place(total=2, owner=1)
    log = place.run("a", 1)
    log.append([FRAME], closing=True)
    assert len(log) == 2


async def test_the_retention() -> None:
    """After its time a log is forgotten at once, and counted until its last reader has left."""
    place = Place(total=10, owner=10, retention_s=0.01)
    reader = place.run("a", 1).reader()
    place.end("a", beside=100)
    assert place.shelf.held == STEP + 100
    await asyncio.sleep(0.05)
    assert place.gone == ["a"]
    assert (len(place.logs["a"]), place.shelf.held) == (1, STEP + 100)
    reader.close()
    async with asyncio.timeout(3):
        while place.shelf.held:  # noqa: ASYNC110  # the shelf looks once a second
            await asyncio.sleep(0.01)
    assert place.shelf._owners == {}


async def test_a_log_that_has_just_ended_is_read_to_its_end() -> None:
    """Its readers get its end, though its last frames exceed the bound; the next stream takes its room."""
    place = Place(total=10, owner=2)
    log = place.run("a", 2)
    reader = log.reader()
    log.append([FRAME], closing=True)
    place.end("a")
    assert (place.gone, len(reader.take()), log.ending) == ([], 3, DONE)
    place.run("b", 2)
    assert place.gone == ["a"]


async def test_one_log_larger_than_the_bound_is_not_kept() -> None:
    """What an owner keeps beside a log counts, and a log that is too large with it goes at once."""
    place = Place(total=10, owner=2)
    place.run("a", 1)
    place.end("a", beside=2 * STEP)
    assert place.gone == ["a"]
    assert place.shelf.held == 0


@pytest.mark.parametrize("retention_s", [60.0, 0.01])
async def test_nothing_of_a_stream_outlives_its_log(retention_s: float) -> None:
    """What its owner keeps beside the log goes with it, whether its room was needed or its time was over."""

    class Beside:
        def forget(self) -> WireError:
            return WireError(ErrorCode.STREAM_EXPIRED, "Gone.")

    place = Place(total=100, owner=2, retention_s=retention_s)
    beside = Beside()
    gone = weakref.ref(beside)
    log = place.run("a", 1)
    log.end(DONE)
    place.shelf.keep(log, beside.forget)
    del beside
    assert gone() is not None
    if retention_s > 1:
        place.run("b", 2)
    else:
        await asyncio.sleep(0.05)
    assert gone() is None
