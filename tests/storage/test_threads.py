"""`storage.threads`: calls that block, in a thread, while the loop goes on."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.threads import run_in


async def test_results_and_errors_come_home() -> None:
    """What the function returns or raises is the caller's, and it ran in the executor's thread."""
    with ThreadPoolExecutor(1) as executor:
        assert await run_in(executor, threading.current_thread) is not threading.main_thread()
        with pytest.raises(ZeroDivisionError):
            await run_in(executor, lambda: 1 // 0)
        assert (3, 1) == await run_in(executor, divmod, 7, 2)


async def test_a_caller_that_leaves_is_not_told() -> None:
    """The loop goes on during a call; a cancelled caller's call is made all the same, and the next one's result is the next one's."""
    release, done = threading.Event(), list[str]()
    with ThreadPoolExecutor(1) as executor:
        waiting = asyncio.create_task(run_in(executor, release.wait, 5))
        failing = asyncio.create_task(run_in(executor, lambda: 1 // 0))
        left = asyncio.create_task(run_in(executor, done.append, "left"))
        after = asyncio.create_task(run_in(executor, done.append, "after"))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        for caller in (waiting, failing, left):
            caller.cancel()
        release.set()
        await after
    assert ["left", "after"] == done
    assert [True] * 3 == [caller.cancelled() for caller in (waiting, failing, left)]


async def test_nothing_is_taken_after_the_end() -> None:
    """A straggler is told, and does not wait for ever."""
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(RuntimeError):
        await run_in(executor, int)
