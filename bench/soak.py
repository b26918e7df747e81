"""Endurance: short answers without a pause, some cut by their reader, some failing. Does the memory of the servers grow? `make soak`.

Each reader asks again as soon as it has its answer. A fifth of the answers is cut by the reader, and a tenth breaks off at the provider.
The resident memory of both servers is read once a second, and a line is laid through the last half of it (least squares).
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression

import uvloop

from bench.chain import Chain
from bench.chat import question
from bench.processes import Process, resident_kib

_CUT, _FAIL = 0.2, 0.1
_RETENTION_S = 5
_READ_BYTES = 65536


@dataclass
class Memory:
    """One server's resident memory over time, in seconds and MiB."""

    name: str
    process: Process
    at: list[float] = field(default_factory=list)
    mib: list[float] = field(default_factory=list)

    def note(self, now: float) -> None:
        self.at.append(now)
        self.mib.append(resident_kib(self.process.pids[:1]) / 1024)

    def slope(self, since: float) -> float:
        """Its growth in MiB a minute since then."""
        first = next(place for place, at in enumerate(self.at) if at >= since)
        return linear_regression(self.at[first:], self.mib[first:]).slope * 60

    def between(self, start: float, stop: float) -> float:
        """Its mean in this time."""
        part = [mib for at, mib in zip(self.at, self.mib, strict=True) if start <= at < stop]
        return sum(part) / max(1, len(part))


class Readers:
    """Asks and asks. `asked` counts the answers by how they ended."""

    def __init__(self, port: int, script: str, dice: random.Random) -> None:
        self._port = port
        self._script = script
        self._dice = dice
        self.asked = {"whole": 0, "cut": 0, "failed": 0, "refused": 0}

    async def read_on(self) -> None:
        """One reader, until it is cancelled."""
        while True:
            await self._ask()

    async def _ask(self) -> None:
        fails, cuts = self._dice.random() < _FAIL, self._dice.random() < _CUT
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(question(self._port, self._script, "drop" if fails else "text"))
            read = b""
            while b"data: [DONE]" not in read[-4096:] and b"event: failed" not in read:
                more = await reader.read(_READ_BYTES)
                if not more:
                    break
                read += more
                if cuts and read.count(b"data: ") > 5:
                    self.asked["cut"] += 1
                    return
            how = "refused" if not read.startswith(b"HTTP/1.1 200") else "failed" if b"event: failed" in read else "whole"
            self.asked[how] += 1
            if how == "refused":
                await asyncio.sleep(0.1)
        finally:
            writer.transport.abort()


async def run(chain: Chain, seconds: float, readers: int, script: str) -> tuple[list[Memory], dict[str, int]]:
    """Puts the load on for so many seconds. Returns the servers' memory, and how many answers there were."""
    asking = Readers(chain.port, script, random.Random(1))  # noqa: S311  # a run can be repeated
    tasks = [asyncio.create_task(asking.read_on()) for _ in range(readers)]
    memory = [Memory("gateway", chain.gateway), Memory("middle tier", chain.middle)]
    begun = time.monotonic()
    try:
        while (now := time.monotonic() - begun) < seconds:
            for server in memory:
                server.note(now)
            if int(now) % 30 == 0:
                print(
                    f"{now:5.0f} s  {sum(asking.asked.values()):>8}  " + "  ".join(f"{m.name} {m.mib[-1]:.1f} MiB" for m in memory),
                    flush=True,
                )
            done = [task for task in tasks if task.done()]
            for task in done:
                task.result()  # a reader ends only by an error
            await asyncio.sleep(1)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    return memory, asking.asked


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description="Shows whether memory grows under a load that never pauses.")
    parser.add_argument("--seconds", type=float, default=200)
    parser.add_argument("--readers", type=int, default=30)
    parser.add_argument("--script", default="20 0.5 1", help="chunks, milliseconds between them, and before the first")
    parser.add_argument("--limit", type=float, default=2.0, help="the growth that is allowed in the last half, in MiB a minute")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="streaming-chat-soak-") as folder, ExitStack() as stack:
        chain = Chain(Path(folder), stack, ("text", "drop"), {"STREAM_RETENTION_S": str(_RETENTION_S)})
        memory, asked = uvloop.run(run(chain, given.seconds, given.readers, given.script))
    total = sum(asked.values())
    print(f"{total} answers in {given.seconds:.0f} s, {total / given.seconds:.0f} a second: {asked}")
    held = True
    for server in memory:
        slope = server.slope(given.seconds / 2)
        held = held and slope <= given.limit
        print(f"{server.name}: {server.mib[-1]:.1f} MiB at the end, {slope:+.2f} MiB a minute in the last half", end="")
        if given.seconds > 600:
            before, after = server.between(300, 360), server.between(given.seconds - 60, given.seconds)
            print(f", {(after / before - 1) * 100:+.2f} % since the sixth minute", end="")
        print()
    sys.exit(not held)


if __name__ == "__main__":
    main()
