"""What the tests of stream logs share: numbered frames, and ways of reading that do not wait for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from wire.frames import numbered
from wire.log import Ending, Outcome, Reader, StreamLog
from wire.sse import DONE

END = Ending(Outcome.FINISHED, DONE)


def frame(index: int) -> bytes:
    """A frame that tells which one it is."""
    return numbered(index, b"data: {}\n\n")


def frames(start: int, stop: int) -> list[bytes]:
    """The frames of these indices."""
    return [frame(index) for index in range(start, stop)]


async def read(reader: Reader, count: int) -> list[bytes]:
    """That many frames, waited for where they are not there yet."""
    taken: list[bytes] = []
    async with asyncio.timeout(5):
        while len(taken) < count:
            taken += reader.take() or await soon(reader)
    return taken


async def soon(reader: Reader) -> list[bytes]:
    """Nothing, once there may be something."""
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
    """Whether a wait comes back by itself. One that does not is cancelled."""
    try:
        async with asyncio.timeout(0.05):
            await waiting
    except TimeoutError:
        return False
    return True
