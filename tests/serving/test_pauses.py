"""`serving.pauses`: the garbage collector works in small portions, and looks at everything only if much has been kept."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Iterator

import pytest

import serving.pauses
from serving.pauses import keep_pauses_short
from tests.support.served import until


class Node:
    """An object that can be part of a cycle and be watched."""

    def __init__(self) -> None:
        self.other: Node | None = None


class Visits:
    """What the collector has visited since the start of a test."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.frozen: list[int] = []  # at the start of a visit of the oldest generation

    def note(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self.sizes.append(sum(len(gc.get_objects(generation)) for generation in range(info["generation"] + 1)))
            if info["generation"] == 2:
                self.frozen.append(gc.get_freeze_count())

    @property
    def of_everything(self) -> int:
        """How often nothing was left out: nothing is frozen then."""
        return self.frozen.count(0)


@pytest.fixture(autouse=True)
def visits(monkeypatch: pytest.MonkeyPatch) -> Iterator[Visits]:
    """Looks come often. The collector is restored afterwards."""
    monkeypatch.setattr(serving.pauses, "_LOOK_EVERY_S", 0.01)
    thresholds, visits = gc.get_threshold(), Visits()
    gc.callbacks.append(visits.note)
    yield visits
    gc.callbacks.remove(visits.note)
    gc.set_threshold(*thresholds)
    gc.unfreeze()


@pytest.fixture
async def start() -> Callable[[bool], None]:
    """Starts what is tested, in a process that is always or never busy. It ends with the test's loop."""

    def start(busy: bool) -> None:
        tasks.append(asyncio.create_task(keep_pauses_short(lambda: busy)))

    tasks: list[asyncio.Task[None]] = []
    return start


def make(number: int) -> list[list[list[int]]]:
    """So many containers, and a hundredth more to hold them."""
    return [[[] for _ in range(100)] for _ in range(number // 100)]


def cycle() -> Node:
    node = Node()
    node.other = Node()
    node.other.other = node
    return node


def break_off_a_cycle() -> weakref.ref[Node]:
    return weakref.ref(cycle())


async def test_what_exists_at_the_start_is_frozen(visits: Visits, start: Callable[[bool], None]) -> None:
    """It is looked at once and never again, as long as little is added."""
    start(False)
    await asyncio.sleep(0)
    assert gc.get_freeze_count() > 1_000
    at_first = visits.of_everything
    made = make(50_000)
    await asyncio.sleep(0.1)
    assert visits.of_everything == at_first
    del made


async def test_no_collection_in_between_visits_much(visits: Visits, start: Callable[[bool], None]) -> None:
    """However much is kept, it is frozen in small portions, and not visited one day in one long step."""
    start(True)
    await asyncio.sleep(0)
    visits.sizes.clear()
    kept = make(1_200_000)
    assert len(visits.sizes) > 1_000
    assert max(visits.sizes) < 10_000
    assert gc.get_freeze_count() > 1_000_000
    del kept


async def test_a_process_that_is_never_idle_collects_cycles(start: Callable[[bool], None]) -> None:
    """A cycle that breaks off while it is young goes with one of the next portions."""
    start(True)
    await asyncio.sleep(0)
    broken = [break_off_a_cycle() for _ in range(100)]
    kept = make(20_000)
    assert [reference for reference in broken if reference() is not None] == []
    del kept


async def test_a_frozen_object_goes_with_its_last_reference(start: Callable[[bool], None]) -> None:
    """Freezing takes an object from the collector's sight; reference counting goes on."""
    start(True)
    await asyncio.sleep(0)
    node = Node()
    frozen, reference = gc.get_freeze_count(), weakref.ref(node)
    kept = make(20_000)
    assert gc.get_freeze_count() > frozen
    del node
    assert reference() is None
    del kept


@pytest.mark.parametrize("busy", [True, False])
async def test_a_cycle_that_breaks_off_late(busy: bool, visits: Visits, start: Callable[[bool], None]) -> None:
    """It is found when much has been kept since and nothing is streaming, and not while something is."""
    start(busy)
    await asyncio.sleep(0)
    node = cycle()
    reference = weakref.ref(node)
    kept = make(20_000)
    at_first = visits.of_everything
    del node
    kept += make(200_000)
    await asyncio.sleep(0.1)
    assert (reference() is not None, visits.of_everything > at_first) == (busy, not busy)
    del kept


async def test_a_look_that_came_while_busy_is_made_up_for(visits: Visits, monkeypatch: pytest.MonkeyPatch) -> None:
    """Much has been kept while something streamed. When nothing does any more, everything is collected, though nothing more is added."""
    busy = True
    task = asyncio.create_task(keep_pauses_short(lambda: busy))
    await asyncio.sleep(0)
    at_first = visits.of_everything
    kept = make(200_000)
    await asyncio.sleep(0.1)
    assert visits.of_everything == at_first
    busy = False
    await until(lambda: visits.of_everything > at_first)
    task.cancel()
    await asyncio.wait([task])
    del kept


async def test_what_went_again_calls_for_nothing(visits: Visits, start: Callable[[bool], None]) -> None:
    """Much has been frozen, and little of it is left: answers that were kept for their time."""
    start(False)
    await asyncio.sleep(0)
    at_first = visits.of_everything
    for _ in range(20):
        kept = make(30_000)
        del kept
        await asyncio.sleep(0.02)
    assert visits.of_everything == at_first


async def test_before_memory_runs_out_everything_is_collected_in_a_busy_process(
    visits: Visits, start: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One long pause when the process has come to hold twice as much is better than its end; then it may double again."""
    monkeypatch.setattr(serving.pauses, "_TOO_MUCH", 200_000)
    start(True)
    await asyncio.sleep(0)
    node = cycle()
    reference = weakref.ref(node)
    kept = make(20_000)
    del node
    at_first = visits.of_everything
    kept += make(gc.get_freeze_count() + 200_000)
    await until(lambda: reference() is None)
    assert visits.of_everything == at_first + 1
    kept += make(200_000)
    await asyncio.sleep(0.1)
    assert visits.of_everything == at_first + 1, "it has not doubled again"
    del kept


async def test_ends_with_its_task() -> None:
    """It runs until it is cancelled, and leaves the collector's visits to themselves."""
    keeping = asyncio.create_task(keep_pauses_short(lambda: False))
    await asyncio.sleep(0.03)
    assert not keeping.done()
    at_work = len(gc.callbacks)
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping
    assert len(gc.callbacks) == at_work - 1
