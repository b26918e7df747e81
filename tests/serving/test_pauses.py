"""`serving.pauses`: the garbage collector works when nothing is streaming."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import pytest

import serving.pauses
from serving.pauses import keep_pauses_short
from tests.support.served import until


@pytest.fixture(autouse=True)
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The generations collected during the test. Looks come often, and the collector is restored afterwards."""
    monkeypatch.setattr(serving.pauses, "_LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(serving.pauses, "_COLLECT_EVERY_S", 0.0)
    thresholds, collections = gc.get_threshold(), list[int]()

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "stop" and info["generation"] == 2:
            collections.append(info["generation"])

    gc.callbacks.append(note)
    yield collections
    gc.callbacks.remove(note)
    gc.set_threshold(*thresholds)
    gc.unfreeze()


async def test_sets_the_collector_up_at_its_start(collector: list[int]) -> None:
    """Existing objects are collected once and then frozen; young ones are collected in small portions, all of them hardly ever."""
    keeping = asyncio.create_task(keep_pauses_short(lambda: True))
    await asyncio.sleep(0)
    assert 1 == len(collector)
    assert gc.get_freeze_count() > 1000
    keeping.cancel()


async def test_no_collection_in_between_visits_much() -> None:
    """However much is kept, the survivors of a small portion are visited again soon, and not one day in one long step."""
    keeping = asyncio.create_task(keep_pauses_short(lambda: True))
    await asyncio.sleep(0)
    visited: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            visited.append(sum(len(gc.get_objects(generation)) for generation in range(info["generation"] + 1)))

    gc.callbacks.append(note)
    kept: list[list[list[int]]] = [[[] for _ in range(100)] for _ in range(12_000)]
    gc.callbacks.remove(note)
    keeping.cancel()
    assert len(visited) > 1_000
    assert max(visited) < 6_000
    del kept


async def test_collects_at_most_once_in_a_while(collector: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Finished streams are kept, so a full collection is long even if nothing streams."""
    monkeypatch.setattr(serving.pauses, "_COLLECT_EVERY_S", 60.0)
    keeping = asyncio.create_task(keep_pauses_short(lambda: False))
    await asyncio.sleep(0)
    for _ in range(5):
        made = make_objects()
        await asyncio.sleep(0.03)
        del made
    assert len(collector) == 2, "the one at the start, and one"
    keeping.cancel()


async def test_collects_only_while_nothing_is_streaming(collector: list[int]) -> None:
    """While the process is busy no full collection comes, whatever it makes; soon after, one does, time after time."""
    busy = True
    keeping = asyncio.create_task(keep_pauses_short(lambda: busy))
    await asyncio.sleep(0)
    for times in (1, 2):
        busy, made = True, make_objects()
        await asyncio.sleep(0.05)
        assert times == len(collector)
        busy = False
        await until(lambda: len(collector) > times)  # noqa: B023  # it is called within this round alone
        del made
    keeping.cancel()


async def test_an_idle_process_is_left_alone(collector: list[int]) -> None:
    """If nothing was made since the last collection, there is nothing to look for, and no pause."""
    made = make_objects()
    keeping = asyncio.create_task(keep_pauses_short(lambda: False))
    await asyncio.sleep(0.2)
    assert len(collector) <= 2
    keeping.cancel()
    del made


def make_objects() -> list[list[int]]:
    """Enough containers for the young to be collected."""
    return [[] for _ in range(5_000)]


async def test_ends_with_its_task() -> None:
    """It runs until it is cancelled."""
    keeping = asyncio.create_task(keep_pauses_short(lambda: False))
    await asyncio.sleep(0.03)
    assert not keeping.done()
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping
