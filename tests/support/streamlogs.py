"""Helpers for the tests of stream logs: numbered frames, and reads with a timeout."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from wire.frames import numbered
from wire.log import Ending, Outcome, Reader, StreamLog
from wire.sse import DONE

END = Ending(Outcome.FINISHED, DONE)


def frame(index: int) -> bytes:
    """A frame that contains its index."""
    return numbered(index, b"data: {}\n\n")


def frames(start: int, stop: int) -> list[bytes]:
    """The frames with these indices."""
    return [frame(index) for index in range(start, stop)]


async def read(reader: Reader, count: int) -> list[bytes]:
    """At least this many frames; waits until they are there."""
    taken: list[bytes] = []
    async with asyncio.timeout(5):
        while len(taken) < count:
            taken += reader.take() or await soon(reader)
    return taken


async def soon(reader: Reader) -> list[bytes]:
    """Waits until there may be frames to take, and returns none itself."""
    await reader.wait()
    return []


async def read_to_end(log: StreamLog, reader: Reader) -> list[bytes]:
    """Every frame up to the ending."""
    taken: list[bytes] = []
    while True:
        batch = reader.take()
        taken += batch
        if not batch:
            if log.ending is not None:
                return taken
            await reader.wait()


async def returns(waiting: Awaitable[None]) -> bool:
    """Whether a wait returns by itself. If it does not, it is cancelled."""
    try:
        async with asyncio.timeout(0.05):
            await waiting
    except TimeoutError:
        return False
    return True
