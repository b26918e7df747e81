"""`storage.threads`: calls that block, in threads, while the loop goes on."""

from __future__ import annotations

import asyncio
import threading
import weakref

import pytest

from storage.threads import Threads
from tests.support.served import until


async def test_results_and_errors_come_home() -> None:
    """What the function returns or raises is the caller's, and it ran in the thread."""
    with Threads("here") as threads:
        assert "here" == (await threads.run(threading.current_thread)).name
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda: 1 // 0)
        assert (3, 1) == await threads.run(divmod, 7, 2)


async def test_one_thread_takes_one_call_after_the_other() -> None:
    """In the order in which they were asked; two threads take two at once."""
    done: list[int] = []
    met = threading.Barrier(2)
    with Threads("one") as one, Threads("two", 2) as two:
        await asyncio.gather(*(one.run(done.append, number) for number in range(20)))
        assert {0, 1} == set(await asyncio.gather(two.run(met.wait, 5), two.run(met.wait, 5)))
    assert list(range(20)) == done


async def test_a_caller_that_leaves_is_not_told() -> None:
    """The loop goes on during a call. A cancelled caller's call is still made, and the next caller gets its own result."""
    release, done = threading.Event(), list[str]()
    with Threads("left") as threads:
        waiting = asyncio.create_task(threads.run(release.wait, 5))
        failing = asyncio.create_task(threads.run(lambda: 1 // 0))
        left = asyncio.create_task(threads.run(done.append, "left"))
        after = asyncio.create_task(threads.run(done.append, "after"))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        for caller in (waiting, failing, left):
            caller.cancel()
        release.set()
        await after
    assert ["left", "after"] == done
    assert [True] * 3 == [caller.cancelled() for caller in (waiting, failing, left)]


async def test_leaving_waits_for_what_was_asked() -> None:
    """No call is lost, the threads have ended, and a straggler is told."""
    done: list[int] = []
    with Threads("leaving", 2) as threads:
        calls = [asyncio.ensure_future(threads.run(done.append, number)) for number in range(5)]
        await asyncio.sleep(0)
        thread = await threads.run(threading.current_thread)
    assert {0, 1, 2, 3, 4} == set(done)
    assert not thread.is_alive()
    await asyncio.gather(*calls)
    with pytest.raises(RuntimeError):
        await threads.run(int)


async def test_nothing_is_held_while_it_waits() -> None:
    """The thread keeps no result: it is the caller's alone."""

    class Big:
        pass

    with Threads("lean") as threads:
        seen = weakref.ref(await threads.run(Big))
        await until(lambda: seen() is None)


def test_a_loop_that_is_gone() -> None:
    """A call that ends after its loop breaks nothing."""
    release = threading.Event()

    async def begin() -> Threads:
        threads = Threads("orphan")
        threads.__enter__()
        call = asyncio.ensure_future(threads.run(release.wait, 5))
        await asyncio.sleep(0)
        call.cancel()
        return threads

    threads = asyncio.run(begin())
    release.set()
    threads.__exit__(None, None, None)
