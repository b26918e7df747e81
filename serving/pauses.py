"""Keeps Python's garbage collector from stopping the streams.

A full collection visits every container of the process and stops the loop meanwhile. With a few hundred streams that takes 50 to 350 ms, in
which no chunk moves. What exists after start-up never becomes garbage, so it is frozen. Young objects are collected in small portions: each
one that lives costs half a microsecond, or several if memory is cold. Survivors wait for a second visit. They are collected in small
portions too, or up to a million of them would pile up. Everything is collected only while nothing is streaming, and at most once in five
minutes. Even that takes long, because finished streams are kept for a while, and a request that comes in that moment waits.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

_THRESHOLDS = (1_000, 2, 1_000_000)  # in net allocations of containers, and in collections of the generation below
_LOOK_EVERY_S = 5.0
_COLLECT_EVERY_S = 300.0


async def keep_pauses_short(busy: Callable[[], bool]) -> None:
    """Sets the collector up, and from then on runs full collections only while `busy` returns False. Runs until it is cancelled."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        if loop.time() >= due and any(gc.get_count()[1:]) and not busy():  # an idle process makes no garbage to look for
            gc.collect()
            due = loop.time() + _COLLECT_EVERY_S
