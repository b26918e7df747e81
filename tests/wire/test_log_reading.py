"""`wire.log`: what a reader gets from any index. Every backend runs against this suite."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.streamlogs import END, frame, frames, read, read_to_end, returns
from wire.log import MAX_TAKE_BYTES, Reader, StreamLog


class TestReading:
    """What a reader gets, and when."""

    async def test_takes_what_is_there_and_steps_past_it(self) -> None:
        """One take returns all available frames, and no frame is returned twice."""
        log = StreamLog()
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

    async def test_every_reader_gets_every_frame(self) -> None:
        """Readers that come at the start, in the middle or after the end all get the same frames."""
        log = StreamLog()
        early = [log.reader() for _ in range(10)]
        log.append(frames(0, 3))
        late = log.reader()
        log.append(frames(3, 5))
        log.end(END)
        for reader in (*early, late, log.reader()):
            assert frames(0, 5) == await read(reader, 5)

    @pytest.mark.parametrize("index", range(6))
    async def test_resumes_from_any_index(self, index: int) -> None:
        """A reader that starts at an index gets the frames from there on, whether they are written before or after it starts."""
        log = StreamLog()
        log.append(frames(0, 5))
        reader = log.reader(index)
        log.append(frames(5, 8))
        assert frames(index, 8) == await read(reader, 8 - index)

    async def test_resumes_beyond_what_is_there(self) -> None:
        """A reader ahead of the log waits for its own index and does not get the frames before it."""
        log = StreamLog()
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

    def test_an_index_is_not_negative(self) -> None:
        """A negative index is refused and leaves no reader behind."""
        log = StreamLog()
        with pytest.raises(ValueError):
            log.reader(-1)
        assert 0 == log.readers

    async def test_a_take_is_bounded(self) -> None:
        """A reader that catches up on a long log gets parts of at most MAX_TAKE_BYTES, in order and complete."""
        log = StreamLog()
        written = [bytes([index]) * 100_000 for index in range(6)]
        log.append(written)
        reader = log.reader()
        takes = [await read(reader, 1) for _ in range(3)]
        assert [2, 2, 2] == [len(take) for take in takes]
        assert written == [one for take in takes for one in take]

    async def test_a_take_fills_its_bound(self) -> None:
        """Frames of exactly MAX_TAKE_BYTES together are returned by one take."""
        log = StreamLog()
        log.append([b"x" * (MAX_TAKE_BYTES // 4)] * 5)
        reader = log.reader()
        assert [4, 1] == [len(await read(reader, 1)) for _ in range(2)]

    async def test_a_frame_larger_than_the_bound_leaves_alone(self) -> None:
        """A take returns at least one frame, however large it is."""
        log = StreamLog()
        large = b"x" * (MAX_TAKE_BYTES + 1)
        log.append([b"a", large, b"b", large])
        reader = log.reader()
        assert [[b"a"], [large], [b"b"], [large]] == [await read(reader, 1) for _ in range(4)]

    async def test_the_ending_is_met_after_the_last_frame(self) -> None:
        """A reader gets the remaining frames first, and then finds the ending and nothing more to take."""
        log = StreamLog()
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
    async def test_who_resumes_at_or_past_the_end_meets_the_ending(self, index: int) -> None:
        """A reader that resumes at or past the end finds the ending, with nothing to take and no wait."""
        log = StreamLog()
        log.append(frames(0, 2))
        log.end(END)
        reader = log.reader(index)
        async with asyncio.timeout(5):
            await reader.wait()
        assert [] == reader.take()


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
def test_any_interleaving_gives_every_reader_the_same_sequence(steps: list[tuple[str, int]]) -> None:
    """In any order of appends, joins, leaves and wakes, a reader from index N gets the frames from N on, in order and once.

    A reader that leaves early has got the first of them.
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
        log, written = StreamLog(), 0
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
                reader.close()  # a task that was cancelled before its first step has not closed its reader
            else:
                task.result()
                assert everything == into
        assert 0 == log.readers

    asyncio.run(run())
