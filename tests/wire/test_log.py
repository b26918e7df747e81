"""`wire.log`: writing, and which readers there are. Every backend runs against this suite."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.support.streamlogs import END, frame, frames, read
from wire.log import Ending, LogEnded, LogFull, Outcome, StreamLog


class TestWriting:
    """The producer's side."""

    def test_starts_empty(self) -> None:
        """A new log has no frames, no bytes, no readers and no ending."""
        log = StreamLog()
        assert (0, 0, 0, None, []) == (len(log), log.size, log.readers, log.ending, list(log.frames()))

    def test_appends_once_and_in_order(self) -> None:
        """Frames that are appended, one or several at a time, get the next indices and can be looked up by them."""
        log = StreamLog()
        log.append(frames(0, 2))
        log.append(frames(2, 3))
        log.append(frames(3, 6))
        assert 6 == len(log)
        assert sum(map(len, frames(0, 6))) == log.size
        assert frames(0, 6) == list(log.frames())
        assert frames(2, 6) == list(log.frames(2))
        assert frames(2, 4) == list(log.frames(2, 4))
        assert [] == list(log.frames(6))

    def test_a_looked_up_list_is_the_callers_own(self) -> None:
        """A list of frames that was looked up does not grow with the log."""
        log = StreamLog()
        log.append(frames(0, 1))
        seen = log.frames()
        log.append(frames(1, 2))
        assert frames(0, 1) == list(seen)

    def test_a_full_log_takes_none_of_the_frames(self) -> None:
        """An append that does not fit raises LogFull and changes nothing; one that fits exactly is accepted."""
        log = StreamLog(max_bytes=3 * len(frame(0)))
        log.append(frames(0, 2))
        with pytest.raises(LogFull) as raised:
            log.append(frames(2, 4))
        assert 3 * len(frame(0)) == raised.value.limit
        assert frames(0, 2) == list(log.frames())
        assert 2 * len(frame(0)) == log.size
        log.append(frames(2, 3))
        with pytest.raises(LogFull):
            log.append([b"x"])
        assert frames(0, 3) == list(log.frames())

    def test_a_full_log_can_still_end(self) -> None:
        """The ending needs no room, so a stream that was too long can still tell its readers."""
        log = StreamLog(max_bytes=1)
        with pytest.raises(LogFull):
            log.append(frames(0, 1))
        log.end(Ending(Outcome.FAILED, b"event: failed\ndata: {}\n\n"))
        assert log.ending is not None

    def test_a_full_log_takes_what_closes_the_stream(self) -> None:
        """A full log accepts closing frames, such as the cost, and still refuses all others."""
        log = StreamLog(max_bytes=len(frame(0)))
        log.append(frames(0, 1))
        log.append(frames(1, 2), closing=True)
        assert frames(0, 2) == list(log.frames())
        with pytest.raises(LogFull):
            log.append(frames(2, 3))

    def test_nothing_comes_after_the_end(self) -> None:
        """An append or a second end raises LogEnded, and the frames and the ending stay unchanged."""
        log = StreamLog()
        log.append(frames(0, 1))
        log.end(END)
        with pytest.raises(LogEnded):
            log.append(frames(1, 2))
        with pytest.raises(LogEnded):
            log.end(Ending(Outcome.CANCELLED, b""))
        assert (frames(0, 1), END) == (list(log.frames()), log.ending)


class TestReaders:
    """How many readers there are, and since when there is none."""

    def test_counts_them(self) -> None:
        """The log counts readers as they come and go, and its frames do not change."""
        log = StreamLog()
        first, second = log.reader(), log.reader(7)
        assert 2 == log.readers
        first.close()
        assert 1 == log.readers
        second.close()
        assert 0 == log.readers

    def test_closing_twice_counts_once(self) -> None:
        """Closing a reader twice does not close another reader or restart the time without readers."""
        log = StreamLog()
        first, second = log.reader(), log.reader()
        first.close()
        first.close()
        assert 1 == log.readers
        second.close()
        left = log.unread_since
        time.sleep(0.002)
        second.close()
        assert left == log.unread_since

    def test_says_since_when_nobody_reads(self) -> None:
        """The time without readers counts from the log's beginning until a reader comes, and again from when the last one leaves."""
        before = time.monotonic()
        log = StreamLog()
        since_begun, begun = log.unread_since, time.monotonic()
        first, second = log.reader(), log.reader()
        while_read = [log.unread_since]
        first.close()
        while_read.append(log.unread_since)
        leaving = time.monotonic()
        second.close()
        since_left, left = log.unread_since, time.monotonic()
        log.reader()
        while_read.append(log.unread_since)
        assert [None] * 3 == while_read
        assert since_begun is not None
        assert before <= since_begun <= begun
        assert since_left is not None
        assert leaving <= since_left <= left

    async def test_the_log_goes_on_without_them(self) -> None:
        """A closed reader is not woken, and the producer can go on writing."""
        log = StreamLog()
        reader = log.reader()
        wait = asyncio.create_task(reader.wait())
        await asyncio.sleep(0)
        reader.close()
        log.append(frames(0, 3))
        assert frames(0, 3) == await read(log.reader(), 3)
        wait.cancel()
        with pytest.raises(asyncio.CancelledError):
            await wait
