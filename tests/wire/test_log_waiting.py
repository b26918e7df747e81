"""`wire.log`: what ends a reader's wait, and what is delivered during it. Every backend runs against this suite."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from tests.support.streamlogs import END, frame, frames, read, returns
from wire.log import MAX_TAKE_BYTES, StreamLog


class TestWaiting:
    """What ends a wait, and what does not."""

    async def test_an_append_ends_it(self) -> None:
        """One append ends the wait of all waiting readers."""
        log = StreamLog()
        readers = [log.reader() for _ in range(3)]
        waits = [asyncio.create_task(reader.wait()) for reader in readers]
        await asyncio.sleep(0)
        assert not any(wait.done() for wait in waits)
        log.append(frames(0, 1))
        async with asyncio.timeout(5):
            await asyncio.gather(*waits)
        assert [frames(0, 1)] * 3 == [reader.take() for reader in readers]

    async def test_the_end_ends_it(self) -> None:
        """The end of the log ends the wait of a reader that waits for more."""
        log = StreamLog()
        wait = asyncio.create_task(log.reader().wait())
        await asyncio.sleep(0)
        log.end(END)
        async with asyncio.timeout(5):
            await wait

    async def test_nothing_else_ends_it(self) -> None:
        """A wait goes on while nothing new comes, even if earlier frames have been taken."""
        log = StreamLog()
        reader = log.reader()
        assert not await returns(reader.wait())
        log.append(frames(0, 1))
        assert await returns(reader.wait())
        reader.take()
        assert not await returns(reader.wait())

    async def test_a_wake_ends_the_wait_that_is_under_way(self) -> None:
        """A wake ends the current wait of its own reader, once, and of no other reader."""
        log = StreamLog()
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

    async def test_a_wake_before_ends_the_next_wait(self) -> None:
        """A wake between two waits is not lost, even if frames are taken in between, and it counts once."""
        log = StreamLog()
        reader = log.reader()
        reader.wake()
        reader.wake()
        log.append(frames(0, 1))
        assert frames(0, 1) == reader.take()
        assert await returns(reader.wait())
        assert not await returns(reader.wait())

    async def test_a_cancelled_wait_leaves_the_reader_whole(self) -> None:
        """After a cancelled wait the reader keeps its index, loses nothing, and can wait again."""
        log = StreamLog()
        reader = log.reader()
        wait = asyncio.create_task(reader.wait())
        await asyncio.sleep(0)
        wait.cancel()
        with pytest.raises(asyncio.CancelledError):
            await wait
        assert not await returns(reader.wait())
        log.append(frames(0, 2))
        assert frames(0, 2) == await read(reader, 2)

    async def test_a_wait_cancelled_as_a_frame_comes_loses_nothing(self) -> None:
        """If an append and a cancellation come in the same turn of the loop, the next take returns the frame."""
        log = StreamLog()
        reader = log.reader()
        wait = asyncio.create_task(reader.wait())
        await asyncio.sleep(0)
        log.append(frames(0, 1))
        wait.cancel()
        with pytest.raises(asyncio.CancelledError):
            await wait
        assert frames(0, 1) == await read(reader, 1)


class TestDelivering:
    """A wait with `deliver`: the append itself hands frames on."""

    @pytest.fixture
    async def log(self) -> StreamLog:
        """An empty log."""
        return StreamLog()

    async def test_frames_are_handed_on_within_the_append(self, log: StreamLog) -> None:
        """When `append` returns, its frames have been taken, and the wait goes on."""
        reader, got = log.reader(), list[bytes]()

        def deliver(new: Sequence[bytes]) -> bool:
            got.extend(new)
            return True

        wait = asyncio.create_task(reader.wait(deliver))
        await asyncio.sleep(0)
        for start, stop in ((0, 1), (1, 4), (4, 5)):
            log.append(frames(start, stop))
            assert frames(0, stop) == got
        assert not await returns(asyncio.shield(wait))
        log.end(END)
        async with asyncio.timeout(5):
            await wait

    async def test_one_that_could_not_hand_on_all_ends_the_wait(self, log: StreamLog) -> None:
        """After a delivery that could not hand everything on, `deliver` is not called again; the task takes the rest, in order."""
        reader, calls = log.reader(), list[Sequence[bytes]]()

        def deliver(new: Sequence[bytes]) -> bool:
            calls.append(new)
            return False

        wait = asyncio.create_task(reader.wait(deliver))
        await asyncio.sleep(0)
        log.append(frames(0, 1))
        log.append(frames(1, 3))
        async with asyncio.timeout(5):
            await wait
        log.append(frames(3, 4))
        assert [frames(0, 1)] == calls
        assert frames(1, 4) == reader.take()

    async def test_it_is_called_for_its_own_wait_alone(self, log: StreamLog) -> None:
        """`deliver` is not called before its wait, after the wait was woken, cancelled or ended, or for the log's end."""
        reader, calls = log.reader(), list[int]()

        def deliver(new: Sequence[bytes]) -> bool:
            calls.append(len(new))
            return True

        log.append(frames(0, 1))
        assert await returns(reader.wait(deliver))
        reader.take()
        wait = asyncio.create_task(reader.wait(deliver))
        await asyncio.sleep(0)
        reader.wake()
        log.append(frames(1, 2))
        await wait
        assert frames(1, 2) == reader.take()
        wait = asyncio.create_task(reader.wait(deliver))
        await asyncio.sleep(0)
        wait.cancel()
        with pytest.raises(asyncio.CancelledError):
            await wait
        log.append(frames(2, 3))
        reader.take()
        wait = asyncio.create_task(reader.wait(deliver))
        await asyncio.sleep(0)
        log.end(END)
        await wait
        assert [] == calls

    async def test_a_reader_ahead_of_the_log_is_not_called(self, log: StreamLog) -> None:
        """`deliver` is called only for frames from the reader's own index on."""
        reader, got = log.reader(2), list[bytes]()

        def deliver(new: Sequence[bytes]) -> bool:
            got.extend(new)
            return True

        wait = asyncio.create_task(reader.wait(deliver))
        await asyncio.sleep(0)
        log.append(frames(0, 2))
        assert [] == got
        log.append(frames(2, 3))
        assert [frame(2)] == got
        log.end(END)
        await wait

    async def test_a_large_batch_is_the_tasks(self, log: StreamLog) -> None:
        """Frames that are more than one `take` end the wait: a reader that cannot keep up must not be written megabytes at once."""
        reader, calls = log.reader(), list[int]()

        def deliver(new: Sequence[bytes]) -> bool:
            calls.append(len(new))
            return True

        wait = asyncio.create_task(reader.wait(deliver))
        await asyncio.sleep(0)
        log.append([b"x" * (MAX_TAKE_BYTES // 2)] * 2)
        assert calls == [2]
        log.append([b"x" * (MAX_TAKE_BYTES // 2)] * 3)
        async with asyncio.timeout(5):
            await wait
        assert calls == [2]
        assert [len(reader.take()), len(reader.take())] == [2, 1]

    async def test_each_reader_waits_as_it_likes(self, log: StreamLog) -> None:
        """A reader that delivers, one that cannot, one that only waits, and one that came later all get the same frames."""
        delivering, failing, waiting, late = log.reader(), log.reader(), log.reader(), log.reader(1)
        got, kept, since = list[bytes](), list[bytes](), list[bytes]()

        def taking(into: list[bytes], sent: bool) -> Callable[[Sequence[bytes]], bool]:
            def deliver(new: Sequence[bytes]) -> bool:
                into.extend(new)
                return sent

            return deliver

        waits = [asyncio.create_task(delivering.wait(taking(got, True))), asyncio.create_task(failing.wait(taking(kept, False)))]
        waits += [asyncio.create_task(waiting.wait()), asyncio.create_task(late.wait(taking(since, True)))]
        await asyncio.sleep(0)
        log.append(frames(0, 2))
        await asyncio.gather(*waits[1:])
        assert [frames(0, 2)] * 3 == [got, kept, waiting.take()]
        assert [frames(1, 2), []] == [since + late.take(), failing.take()]
        log.end(END)
        await waits[0]
