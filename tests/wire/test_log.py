"""`wire.log`: written once, read by anyone from any index. Every backend runs against this suite."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wire.frames import numbered
from wire.log import MAX_TAKE_BYTES, Ending, LogEnded, LogFull, MemoryLog, Outcome, Reader, StreamLog
from wire.sse import DONE

MakeLog = Callable[..., StreamLog]

BACKENDS = [pytest.param(MemoryLog, id="memory")]
"""What makes an empty log, given `max_bytes` or nothing."""

pytestmark = pytest.mark.parametrize("make_log", BACKENDS)

END = Ending(Outcome.FINISHED, DONE)


def frame(index: int) -> bytes:
    """A frame that tells which one it is."""
    return numbered(index, b"data: {}\n\n")


def frames(start: int, stop: int) -> list[bytes]:
    """The frames of these indices."""
    return [frame(index) for index in range(start, stop)]


async def read(reader: Reader, count: int) -> list[bytes]:
    """That many frames, waited for where they are not there yet."""
    taken: list[bytes] = []
    async with asyncio.timeout(5):
        while len(taken) < count:
            taken += reader.take() or await soon(reader)
    return taken


async def soon(reader: Reader) -> list[bytes]:
    """Nothing, once there may be something."""
    await reader.wait()
    return []


async def read_to_end(log: StreamLog, reader: Reader) -> list[bytes]:
    """Every frame up to the ending."""
    taken: list[bytes] = []
    while True:
        batch = reader.take()
        taken += batch
        if not batch:
            if log.ending is not None:
                return taken
            await reader.wait()


async def returns(waiting: Awaitable[None]) -> bool:
    """Whether a wait comes back by itself. One that does not is cancelled."""
    try:
        async with asyncio.timeout(0.05):
            await waiting
    except TimeoutError:
        return False
    return True


class TestWriting:
    """The producer's side."""

    def test_starts_empty(self, make_log: MakeLog) -> None:
        """A new log has no frames, no bytes, no readers and no ending."""
        log = make_log()
        assert (0, 0, 0, None, []) == (len(log), log.size, log.readers, log.ending, list(log.frames()))

    def test_appends_once_and_in_order(self, make_log: MakeLog) -> None:
        """What is appended, alone or together, has the next indices, and can be looked up by them."""
        log = make_log()
        log.append(frames(0, 2))
        log.append(frames(2, 3))
        log.append(frames(3, 6))
        assert 6 == len(log)
        assert sum(map(len, frames(0, 6))) == log.size
        assert frames(0, 6) == list(log.frames())
        assert frames(2, 6) == list(log.frames(2))
        assert frames(2, 4) == list(log.frames(2, 4))
        assert [] == list(log.frames(6))

    def test_a_looked_up_list_is_the_callers_own(self, make_log: MakeLog) -> None:
        """Frames that were looked up do not grow with the log."""
        log = make_log()
        log.append(frames(0, 1))
        seen = log.frames()
        log.append(frames(1, 2))
        assert frames(0, 1) == list(seen)

    def test_a_full_log_takes_none_of_the_frames(self, make_log: MakeLog) -> None:
        """An append that does not fit raises LogFull and changes nothing; one that fits exactly is taken."""
        log = make_log(max_bytes=3 * len(frame(0)))
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

    def test_a_full_log_can_still_end(self, make_log: MakeLog) -> None:
        """The ending needs no room: a stream that was too long says so to its readers."""
        log = make_log(max_bytes=1)
        with pytest.raises(LogFull):
            log.append(frames(0, 1))
        log.end(Ending(Outcome.FAILED, b"event: failed\ndata: {}\n\n"))
        assert log.ending is not None

    def test_nothing_comes_after_the_end(self, make_log: MakeLog) -> None:
        """An append or a second end raises LogEnded; frames and ending stay what they were."""
        log = make_log()
        log.append(frames(0, 1))
        log.end(END)
        with pytest.raises(LogEnded):
            log.append(frames(1, 2))
        with pytest.raises(LogEnded):
            log.end(Ending(Outcome.CANCELLED, b""))
        assert (frames(0, 1), END) == (list(log.frames()), log.ending)


class TestReading:
    """What a reader gets, and when."""

    async def test_takes_what_is_there_and_steps_past_it(self, make_log: MakeLog) -> None:
        """Several frames that are there leave in one take, and none of them twice."""
        log = make_log()
        reader = log.reader()
        assert [] == reader.take()
        log.append(frames(0, 2))
        log.append(frames(2, 3))
        await reader.wait()
        assert frames(0, 3) == reader.take()
        assert 3 == reader.index
        assert [] == reader.take()
        log.append(frames(3, 4))
        assert frames(3, 4) == await read(reader, 1)

    async def test_every_reader_gets_every_frame(self, make_log: MakeLog) -> None:
        """Readers that are there from the start, come in the middle or after the end all get the same frames."""
        log = make_log()
        early = [log.reader() for _ in range(10)]
        log.append(frames(0, 3))
        late = log.reader()
        log.append(frames(3, 5))
        log.end(END)
        for reader in (*early, late, log.reader()):
            assert frames(0, 5) == await read(reader, 5)

    @pytest.mark.parametrize("index", range(6))
    async def test_resumes_from_any_index(self, make_log: MakeLog, index: int) -> None:
        """A reader that starts at an index gets the frames from there on, before and after they were written."""
        log = make_log()
        log.append(frames(0, 5))
        reader = log.reader(index)
        log.append(frames(5, 8))
        assert frames(index, 8) == await read(reader, 8 - index)

    async def test_resumes_beyond_what_is_there(self, make_log: MakeLog) -> None:
        """A reader that is ahead of the log waits for its own index; frames before it are not its business."""
        log = make_log()
        log.append(frames(0, 2))
        reader = log.reader(4)
        waiting = asyncio.create_task(reader.wait())
        for index in (2, 3):
            log.append([frame(index)])
            assert not await returns(asyncio.shield(waiting))
            assert [] == reader.take()
            assert 4 == reader.index
        log.append([frame(4)])
        async with asyncio.timeout(5):
            await waiting
        assert [frame(4)] == reader.take()

    def test_an_index_is_not_negative(self, make_log: MakeLog) -> None:
        """A negative index is refused, and leaves no reader behind."""
        log = make_log()
        with pytest.raises(ValueError):
            log.reader(-1)
        assert 0 == log.readers

    async def test_a_take_is_bounded(self, make_log: MakeLog) -> None:
        """Who catches up on a long log gets it in parts of at most MAX_TAKE_BYTES, in order, with nothing missing."""
        log = make_log()
        written = [bytes([index]) * 100_000 for index in range(6)]
        log.append(written)
        reader = log.reader()
        takes = [await read(reader, 1) for _ in range(3)]
        assert [2, 2, 2] == [len(take) for take in takes]
        assert written == [one for take in takes for one in take]

    async def test_a_take_fills_its_bound(self, make_log: MakeLog) -> None:
        """Frames of just MAX_TAKE_BYTES together leave together."""
        log = make_log()
        log.append([b"x" * (MAX_TAKE_BYTES // 4)] * 5)
        reader = log.reader()
        assert [4, 1] == [len(await read(reader, 1)) for _ in range(2)]

    async def test_a_frame_larger_than_the_bound_leaves_alone(self, make_log: MakeLog) -> None:
        """One frame at least is taken, however large."""
        log = make_log()
        large = b"x" * (MAX_TAKE_BYTES + 1)
        log.append([b"a", large, b"b", large])
        reader = log.reader()
        assert [[b"a"], [large], [b"b"], [large]] == [await read(reader, 1) for _ in range(4)]

    async def test_the_ending_is_met_after_the_last_frame(self, make_log: MakeLog) -> None:
        """A reader behind the end gets the frames first, and then finds that there is an ending and nothing to take."""
        log = make_log()
        reader = log.reader()
        log.append(frames(0, 2))
        log.end(END)
        async with asyncio.timeout(5):
            assert frames(0, 2) == await read_to_end(log, reader)
        assert END == log.ending
        async with asyncio.timeout(5):
            await reader.wait()
        assert [] == reader.take()

    @pytest.mark.parametrize("index", [2, 3, 100])
    async def test_who_resumes_at_or_past_the_end_meets_the_ending(self, make_log: MakeLog, index: int) -> None:
        """There is nothing to take and nothing to wait for."""
        log = make_log()
        log.append(frames(0, 2))
        log.end(END)
        reader = log.reader(index)
        async with asyncio.timeout(5):
            await reader.wait()
        assert [] == reader.take()


class TestWaiting:
    """What ends a wait, and what does not."""

    async def test_an_append_ends_it(self, make_log: MakeLog) -> None:
        """All waiting readers come back for one append."""
        log = make_log()
        readers = [log.reader() for _ in range(3)]
        waits = [asyncio.create_task(reader.wait()) for reader in readers]
        await asyncio.sleep(0)
        assert not any(wait.done() for wait in waits)
        log.append(frames(0, 1))
        async with asyncio.timeout(5):
            await asyncio.gather(*waits)
        assert [frames(0, 1)] * 3 == [reader.take() for reader in readers]

    async def test_the_end_ends_it(self, make_log: MakeLog) -> None:
        """A reader that waits for more comes back when there will be no more."""
        log = make_log()
        wait = asyncio.create_task(log.reader().wait())
        await asyncio.sleep(0)
        log.end(END)
        async with asyncio.timeout(5):
            await wait

    async def test_nothing_else_ends_it(self, make_log: MakeLog) -> None:
        """Without news a wait lasts, also where earlier news has been taken."""
        log = make_log()
        reader = log.reader()
        assert not await returns(reader.wait())
        log.append(frames(0, 1))
        assert await returns(reader.wait())
        reader.take()
        assert not await returns(reader.wait())

    async def test_a_wake_ends_the_wait_that_is_under_way(self, make_log: MakeLog) -> None:
        """The owner calls its reader back, once, and no other reader."""
        log = make_log()
        reader, other = log.reader(), log.reader()
        wait, others = asyncio.create_task(reader.wait()), asyncio.create_task(other.wait())
        await asyncio.sleep(0)
        reader.wake()
        async with asyncio.timeout(5):
            await wait
        assert not others.done()
        assert not await returns(reader.wait())
        other.wake()
        await others

    async def test_a_wake_before_ends_the_next_wait(self, make_log: MakeLog) -> None:
        """A wake between two waits is not lost, also where frames were taken in between, and it counts once."""
        log = make_log()
        reader = log.reader()
        reader.wake()
        reader.wake()
        log.append(frames(0, 1))
        assert frames(0, 1) == reader.take()
        assert await returns(reader.wait())
        assert not await returns(reader.wait())

    async def test_a_cancelled_wait_leaves_the_reader_whole(self, make_log: MakeLog) -> None:
        """Its place is kept, nothing is lost, and it can wait again."""
        log = make_log()
        reader = log.reader()
        wait = asyncio.create_task(reader.wait())
        await asyncio.sleep(0)
        wait.cancel()
        with pytest.raises(asyncio.CancelledError):
            await wait
        assert not await returns(reader.wait())
        log.append(frames(0, 2))
        assert frames(0, 2) == await read(reader, 2)

    async def test_a_wait_cancelled_as_a_frame_comes_loses_nothing(self, make_log: MakeLog) -> None:
        """An append and a cancellation in the same turn of the loop leave the frame for the next take."""
        log = make_log()
        reader = log.reader()
        wait = asyncio.create_task(reader.wait())
        await asyncio.sleep(0)
        log.append(frames(0, 1))
        wait.cancel()
        with pytest.raises(asyncio.CancelledError):
            await wait
        assert frames(0, 1) == await read(reader, 1)


class TestReaders:
    """Who is there, and since when nobody is."""

    def test_counts_them(self, make_log: MakeLog) -> None:
        """Readers come and go; the frames do not depend on it."""
        log = make_log()
        first, second = log.reader(), log.reader(7)
        assert 2 == log.readers
        first.close()
        assert 1 == log.readers
        second.close()
        assert 0 == log.readers

    def test_closing_twice_counts_once(self, make_log: MakeLog) -> None:
        """A reader that closes again does not close another one, nor restart the time without readers."""
        log = make_log()
        first, second = log.reader(), log.reader()
        first.close()
        first.close()
        assert 1 == log.readers
        second.close()
        left = log.unread_since
        time.sleep(0.002)
        second.close()
        assert left == log.unread_since

    def test_says_since_when_nobody_reads(self, make_log: MakeLog) -> None:
        """From the log's beginning until a reader comes, and again from the moment the last one leaves."""
        before = time.monotonic()
        log = make_log()
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

    async def test_the_log_goes_on_without_them(self, make_log: MakeLog) -> None:
        """A closed reader is not woken, and the producer writes on."""
        log = make_log()
        reader = log.reader()
        wait = asyncio.create_task(reader.wait())
        await asyncio.sleep(0)
        reader.close()
        log.append(frames(0, 3))
        assert frames(0, 3) == await read(log.reader(), 3)
        wait.cancel()
        with pytest.raises(asyncio.CancelledError):
            await wait


STEPS = st.lists(
    st.tuples(st.just("append"), st.integers(0, 4))
    | st.tuples(st.just("join"), st.integers(0, 12))
    | st.tuples(st.just("leave"), st.integers(0, 7))
    | st.tuples(st.just("wake"), st.integers(0, 7))
    | st.tuples(st.just("turn"), st.integers(1, 3)),
    max_size=30,
)


@given(steps=STEPS)
@example(steps=[("join", 0), ("turn", 1), ("append", 2), ("turn", 1), ("join", 5), ("append", 4), ("leave", 0), ("wake", 1), ("append", 1)])
def test_any_interleaving_gives_every_reader_the_same_sequence(make_log: MakeLog, steps: list[tuple[str, int]]) -> None:
    """However appends, joining, leaving and waking follow each other, a reader from index N gets the frames from N on, in order, once.

    Who leaves early has got a beginning of that.
    """

    async def follow(log: StreamLog, reader: Reader, into: list[bytes]) -> None:
        try:
            while True:
                batch = reader.take()
                into += batch
                if not batch:
                    if log.ending is not None:
                        return
                    await reader.wait()
        finally:
            reader.close()

    async def run() -> None:
        log, written = make_log(), 0
        readers: list[tuple[int, Reader, list[bytes], asyncio.Task[None]]] = []
        for step, number in steps:
            if step == "append":
                log.append(frames(written, written + number))
                written += number
            elif step == "join":
                reader, into = log.reader(number), list[bytes]()
                readers.append((number, reader, into, asyncio.create_task(follow(log, reader, into))))
            elif step == "turn":
                for _ in range(number):
                    await asyncio.sleep(0)
            elif readers:
                _, reader, _, task = readers[number % len(readers)]
                if step == "leave":
                    task.cancel()
                else:
                    reader.wake()
        log.end(END)
        async with asyncio.timeout(5):
            await asyncio.gather(*(task for *_, task in readers), return_exceptions=True)
        for start, reader, into, task in readers:
            everything = frames(start, written)
            if task.cancelled():
                assert everything[: len(into)] == into
                reader.close()  # one that was cancelled before its first step never came to closing
            else:
                task.result()
                assert everything == into
        assert 0 == log.readers

    asyncio.run(run())
