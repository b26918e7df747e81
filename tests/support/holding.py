"""What a server of ours holds while its garbage collector is off (`tests.support.uncollected`)."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.served import until
from tests.support.server import Server

ANY = 1_000_000
POOLED = 120
"""Objects of one type that pools and caches, which are bounded, may still take on. A leak has one for each request, or more."""
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Holding:
    """Tracked objects by type, running tasks, and by type what only a collection could free."""

    objects: dict[str, int]
    tasks: int
    garbage: dict[str, int]


class Uncollected(Server):
    """A server that never collects, started by `python -m tests.support.uncollected`."""

    def __init__(self, module: str, folder: Path, *, port_variable: str, env: Mapping[str, str]) -> None:
        self._figures = folder / "figures.json"
        super().__init__("tests.support.uncollected", folder, port_variable=port_variable, env=env, arguments=(str(self._figures), module))

    async def holding(self) -> Holding:
        """What it holds now."""
        self._figures.unlink(missing_ok=True)
        self.signal(signal.SIGUSR1)
        await until(self._figures.exists)
        figures: dict[str, Any] = json.loads(self._figures.read_text())
        return Holding(**figures)

    async def settled(self, *, tasks: int) -> Holding:
        """What it holds once no more tasks run than these, and its timers have let go of what has ended."""
        async with asyncio.timeout(30):
            while True:
                await asyncio.sleep(0.5)
                now = await self.holding()
                if now.tasks <= tasks:
                    return now


async def leaves_nothing(server: Uncollected, count: int, one_round: Callable[[int], Awaitable[None]], *, settle_s: float = 0) -> None:
    """Runs rounds of so many requests, and asserts that garbage, objects and tasks have not grown with their number.

    A cache or a pool that happens to grow in one round does not in the next, and a leak grows in each: what counts is what grew in all
    of them. `settle_s`: how long idle connections are kept, where the requests may have left many of them.
    """
    await one_round(100)  # connections, caches and lazy imports
    idle = await server.settled(tasks=ANY)
    before = await server.settled(tasks=idle.tasks)
    grew: dict[str, int] = {}
    for number in range(ROUNDS):
        await one_round(count)
        await asyncio.sleep(settle_s)
        after = await server.settled(tasks=before.tasks)
        garbage = {name: found for name, found in after.garbage.items() if found > count // 50}
        assert {} == garbage, f"{count} requests left garbage behind: {garbage}"
        growth = {name: found - before.objects.get(name, 0) for name, found in after.objects.items()}
        grown = {name: found for name, found in growth.items() if found > max(0.7 * count, POOLED)}
        grew = grown if number == 0 else {name: min(found, grew[name]) for name, found in grown.items() if name in grew}
        if not grew:
            return
        before = after
    raise AssertionError(f"{count} requests left objects behind, {ROUNDS} times: {grew}")
