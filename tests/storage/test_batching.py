"""`storage.batching`: work that comes together is run together, and each caller hears only of its own item."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from serving.turnstile import ENDS_PER_PASS, Turnstile
from storage.batching import MAX_BATCH, Batcher, Refused
from tests.support.passes import Passes


class Runs:
    """What a batcher runs: it keeps its batches, waits while `gate` is closed, and refuses whatever is in `refused`."""

    def __init__(self, *refused: int) -> None:
        self.batches: list[list[int]] = []
        self.taken: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._refused = set(refused)
        self._running = False

    async def __call__(self, items: Sequence[int]) -> list[int | Refused]:
        assert not self._running, "two runs at once"
        self._running = True
        self.batches.append(list(items))
        try:
            await self.gate.wait()
            self.taken.extend(item for item in items if item not in self._refused)
            return [Refused(ValueError(item)) if item in self._refused else -item for item in items]
        finally:
            self._running = False


async def started(batcher: Batcher[int], *items: int) -> list[asyncio.Task[int]]:
    """Callers with these items, which have come in this order."""
    callers = [asyncio.create_task(batcher.add(item)) for item in items]
    await asyncio.sleep(0)
    return callers


async def test_who_comes_alone_is_served_at_once() -> None:
    """Nobody waits for company, and the item has been run when `add` returns."""
    runs = Runs()
    batcher = Batcher(runs)
    async with asyncio.timeout(1):
        for item in range(3):
            await batcher.add(item)
            assert item == runs.taken[-1]
    assert [[0], [1], [2]] == runs.batches


async def test_who_comes_during_a_run_rides_with_the_next() -> None:
    """All that came meanwhile are one batch, in the order in which they came."""
    runs = Runs()
    runs.gate.clear()
    batcher = Batcher(runs)
    callers = await started(batcher, 0)
    callers += await started(batcher, 3, 1, 2)
    assert [[0]] == runs.batches
    runs.gate.set()
    await asyncio.gather(*callers)
    assert [[0], [3, 1, 2]] == runs.batches


async def test_a_batch_is_bounded() -> None:
    """However many come together, a run takes 64 of them at most, and none is left."""
    runs = Runs()
    batcher = Batcher(runs)
    await asyncio.gather(*(batcher.add(item) for item in range(2 * MAX_BATCH + 1)))
    assert [MAX_BATCH, MAX_BATCH, 1] == [len(batch) for batch in runs.batches]
    assert list(range(2 * MAX_BATCH + 1)) == runs.taken


async def test_those_who_rode_together_go_on_a_few_at_a_time() -> None:
    """They do not all go on in one pass of the event loop: others have their turn in between."""
    batcher, passes, through = Batcher(Runs(), Turnstile(ENDS_PER_PASS).enter), Passes(), list[int]()

    async def rider(item: int) -> None:
        await batcher.add(item)
        through.append(passes.count)

    await asyncio.gather(*map(rider, range(20)))
    passes.stop()
    assert ENDS_PER_PASS == max(through.count(number) for number in through)


async def test_each_caller_has_its_own_outcome() -> None:
    """Each gets a result or an error from one run of them all; the batcher works on."""
    runs = Runs(2)
    batcher = Batcher(runs)
    outcomes = await asyncio.gather(*map(batcher.add, range(5)), return_exceptions=True)
    assert [0, -1, "ValueError(2)", -3, -4] == [repr(outcome) if isinstance(outcome, Exception) else outcome for outcome in outcomes]
    assert -5 == await batcher.add(5)
    assert [[0, 1, 2, 3, 4], [5]] == runs.batches


async def test_a_run_that_fails_fails_for_all_of_its_batch() -> None:
    """None of them is run again, and the batcher works on."""
    runs: list[Sequence[int]] = []

    async def run(items: Sequence[int]) -> Sequence[int]:
        runs.append(items)
        if len(items) > 1:
            raise OSError
        return items

    batcher = Batcher(run)
    outcomes = await asyncio.gather(*map(batcher.add, range(3)), return_exceptions=True)
    assert [OSError] * 3 == [type(outcome) for outcome in outcomes]
    assert 7 == await batcher.add(7)
    assert [[0, 1, 2], [7]] == runs


async def test_finishing_waits_for_what_was_added() -> None:
    """It also waits for the items of callers that have left."""
    runs = Runs()
    runs.gate.clear()
    batcher = Batcher(runs)
    for caller in await started(batcher, 0, 1) + await started(batcher, 2):
        caller.cancel()
    finishing = asyncio.create_task(batcher.finish())
    await asyncio.sleep(0)
    assert not finishing.done()
    runs.gate.set()
    await finishing
    assert [0, 1, 2] == runs.taken


async def test_a_caller_that_leaves_does_not_take_its_item_back() -> None:
    """A cancelled caller is gone at once; its item is run, and so are the others', even if its own fails."""
    runs = Runs(1)
    runs.gate.clear()
    batcher = Batcher(runs)
    callers = await started(batcher, 0, 1, 2)
    callers[0].cancel()
    callers[1].cancel()
    outcomes = await asyncio.gather(*callers[:2], return_exceptions=True)
    assert [asyncio.CancelledError] * 2 == [type(outcome) for outcome in outcomes]
    runs.gate.set()
    await callers[2]
    assert [0, 2] == runs.taken


async def test_a_caller_that_leaves_before_the_run_has_its_item_run() -> None:
    """The same holds while the item waits for its turn."""
    runs = Runs()
    runs.gate.clear()
    batcher = Batcher(runs)
    callers = await started(batcher, 0)
    callers += await started(batcher, 1, 2)
    callers[1].cancel()
    runs.gate.set()
    await asyncio.gather(callers[0], callers[2])
    assert [0, 1, 2] == runs.taken
