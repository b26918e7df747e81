"""Keeps Python's garbage collector from stopping the streams.

A full collection visits every container of the process and stops the loop meanwhile. With a few hundred streams that takes 50 to 350 ms, in
which no chunk moves. So nothing old is visited again: objects are collected in small portions while they are young, each three times at
most, and what is still alive then is frozen. One that lives costs half a microsecond a visit, or several if memory is cold.

A frozen object still goes when its last reference does. Only a cycle that broke off after it was frozen stays. So once in a while, if much
has been frozen since and is still there, everything is looked at again: at a moment when nothing is streaming, or, if there never is one,
when the process has come to hold twice as much and a million objects more.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

_THRESHOLDS = (1_000, 2, 1)  # in net allocations of containers, and in collections of the generation below
_LOOK_EVERY_S = 5.0
_PORTION = 9_000  # objects that one visit of the oldest generation freezes, at most
_MUCH = 100_000
_TOO_MUCH = 1_000_000


async def keep_pauses_short(busy: Callable[[], bool]) -> None:
    """Sets the collector up, and from then on collects everything only if much has been kept. Runs until it is cancelled.

    `busy` tells whether something is streaming.
    """
    gc.callbacks.append(_freeze_survivors)
    try:
        kept = _collect_everything()
        gc.set_threshold(*_THRESHOLDS)
        portions = _portions()
        due = False
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            added = (_portions() - portions) * _PORTION
            if added < _MUCH and (busy() or not due):  # counting what is frozen takes milliseconds
                continue
            grown, portions = gc.get_freeze_count() - kept, _portions()
            due = grown >= _MUCH
            if grown >= max(kept, _TOO_MUCH) or (due and not busy()):
                kept, due = _collect_everything(), False
                portions = _portions()
    finally:
        gc.callbacks.remove(_freeze_survivors)


def _freeze_survivors(phase: str, info: dict[str, int]) -> None:
    """Called by the collector before and after each of its visits."""
    if phase == "stop" and info["generation"] == 2:
        gc.freeze()


def _collect_everything() -> int:
    """Returns the number of objects that remain.

    The second collection finds nothing. From it the collector learns that nothing is old. Before it visits the oldest generation again,
    it waits until a quarter of what it found last time has been added (`long_lived_pending` in gcmodule.c).
    """
    gc.unfreeze()
    gc.collect()
    gc.collect()
    return gc.get_freeze_count()


def _portions() -> int:
    """How often the oldest generation has been visited since the start of the process."""
    collections: int = gc.get_stats()[2]["collections"]
    return collections
