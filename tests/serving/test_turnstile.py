"""`serving.turnstile`: starts go one by one, and between two of them the event loop serves everything else."""

from __future__ import annotations

import asyncio

import pytest

from serving.turnstile import Turnstile
from tests.support.passes import Passes


async def entered(turnstile: Turnstile, passes: Passes, through: list[tuple[int, int]], name: int) -> None:
    """Goes through, and notes who it was and in which pass."""
    await turnstile.enter()
    through.append((name, passes.count))


@pytest.mark.parametrize("per_pass", [1, 3])
async def test_callers_go_in_order_and_a_bounded_number_per_pass(per_pass: int) -> None:
    """If many come together, a bounded number goes through in each pass, first come, first served; others have their turn in between."""
    turnstile, passes, through = Turnstile(per_pass), Passes(), list[tuple[int, int]]()
    await asyncio.gather(*(entered(turnstile, passes, through, name) for name in range(30)))
    passes.stop()
    assert list(range(30)) == [name for name, _ in through]
    in_pass = [number for _, number in through]
    assert per_pass == max(in_pass.count(number) for number in in_pass)
    assert 30 / per_pass <= len(set(in_pass))
    assert in_pass[-1] - in_pass[0] <= 2 * 30 / per_pass  # no pass is wasted for long


async def test_a_caller_alone_goes_at_once() -> None:
    """A caller that finds nobody there does not wait for a pass."""
    turnstile = Turnstile()
    for _ in range(3):
        entering = turnstile.enter()
        with pytest.raises(StopIteration):
            entering.send(None)
        for _ in range(3):
            await asyncio.sleep(0)


async def test_nobody_overtakes() -> None:
    """A caller that comes later, in a pass whose place is free, still goes behind those who wait."""
    turnstile, passes, through = Turnstile(), Passes(), list[tuple[int, int]]()
    first = [asyncio.create_task(entered(turnstile, passes, through, name)) for name in range(5)]
    for _ in range(3):
        await asyncio.sleep(0)
    assert len(through) < 5
    late = asyncio.create_task(entered(turnstile, passes, through, 5))
    await asyncio.gather(*first, late)
    passes.stop()
    assert list(range(6)) == [name for name, _ in through]


async def test_a_cancelled_caller_uses_no_turn() -> None:
    """Callers behind one that has left move up, and go through as early as if it had never been there."""

    async def last_pass(cancelled: int) -> int:
        turnstile, passes, through = Turnstile(), Passes(), list[tuple[int, int]]()
        leaving = [asyncio.create_task(entered(turnstile, passes, through, name)) for name in range(1 + cancelled)]
        staying = asyncio.create_task(entered(turnstile, passes, through, 99))
        await asyncio.sleep(0)
        for task in leaving[1:]:
            task.cancel()
        await staying
        passes.stop()
        assert [0, 99] == [name for name, _ in through]
        return through[-1][1] - through[0][1]

    assert await last_pass(0) == await last_pass(10)


async def test_it_rests_when_nobody_comes() -> None:
    """An idle turnstile does not keep the event loop busy, and works again after that."""
    turnstile = Turnstile()
    await asyncio.gather(*(turnstile.enter() for _ in range(5)))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not turnstile._turning
    async with asyncio.timeout(1):
        await asyncio.gather(*(turnstile.enter() for _ in range(5)))
