"""`storage.worker`: calls that block, in a thread, in order."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref

import pytest

from storage.worker import Worker
from tests.support.served import until


async def test_results_and_errors_come_home() -> None:
    """What the function returns or raises is the caller's, and it ran in the worker's thread."""
    with Worker("here") as worker:
        assert await worker.run(threading.current_thread) is not threading.main_thread()
        assert (await worker.run(threading.current_thread)).name == "here"
        with pytest.raises(ZeroDivisionError):
            await worker.run(lambda: 1 // 0)
        assert await worker.run(divmod, 7, 2) == (3, 1)


async def test_calls_run_one_after_the_other() -> None:
    """In the order in which they were asked, never two at once."""
    running: list[int] = []
    ran: list[int] = []

    def work(number: int) -> None:
        running.append(number)
        assert running == [number]
        time.sleep(0.001)
        running.remove(number)
        ran.append(number)

    with Worker("one") as worker:
        await asyncio.gather(*(worker.run(work, number) for number in range(20)))
    assert ran == list(range(20))


async def test_the_loop_goes_on_meanwhile() -> None:
    """A call that blocks holds up its own thread alone."""
    release = threading.Event()
    with Worker("slow") as worker:
        waiting = asyncio.create_task(worker.run(release.wait, 5))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        release.set()
        assert await waiting


async def test_a_cancelled_caller_is_not_told() -> None:
    """Its call is made all the same, and the next one's result is the next one's."""
    release = threading.Event()
    done: list[str] = []
    with Worker("left") as worker:
        waiting = asyncio.create_task(worker.run(release.wait, 5))
        failing = asyncio.create_task(worker.run(lambda: 1 // 0))
        after = asyncio.create_task(worker.run(done.append, "after"))
        await asyncio.sleep(0)
        waiting.cancel()
        failing.cancel()
        release.set()
        await after
    assert done == ["after"]
    assert waiting.cancelled()
    assert failing.cancelled()


async def test_leaving_waits_for_what_was_asked() -> None:
    """Nothing that was asked is lost, and the thread has ended."""
    done: list[int] = []
    with Worker("leaving") as worker:
        calls = [asyncio.ensure_future(worker.run(done.append, number)) for number in range(5)]
        await asyncio.sleep(0)
        thread = await worker.run(threading.current_thread)
    assert done == [0, 1, 2, 3, 4]
    assert not thread.is_alive()
    await asyncio.gather(*calls)


async def test_nothing_is_held_while_it_waits() -> None:
    """A result is the caller's alone."""

    class Big:
        pass

    with Worker("lean") as worker:
        seen = weakref.ref(await worker.run(Big))
        await until(lambda: seen() is None)


async def test_nothing_is_taken_after_the_end() -> None:
    """A straggler is told, and does not wait for ever; nor does one whose function raises what no future can hold."""
    with Worker("ended") as worker, pytest.raises(RuntimeError, match="StopIteration"):
        await worker.run(next, iter(()))
    with pytest.raises(RuntimeError, match="ended"):
        await worker.run(int)


def test_a_loop_that_is_gone() -> None:
    """A call that ends after its loop breaks nothing."""
    release = threading.Event()
    loop = asyncio.new_event_loop()

    async def begin() -> Worker:
        worker = Worker("orphan")
        worker.__enter__()
        asyncio.ensure_future(worker.run(release.wait, 5)).cancel()
        worker._calls.put((release.wait, (5,), loop.create_future()))
        return worker

    worker = loop.run_until_complete(begin())
    loop.close()
    release.set()
    worker.__exit__(None, None, None)
    assert not worker._thread.is_alive()
