"""The measurements, and the promise that each one checks.

cost          100 streams x 200 chunks, 20 ms apart: processor time per chunk, delay, no losses
alone         one stream at a time: the delay that we add to the first chunk and to each chunk
starts        many streams started at the same moment: none may stall
crowd         1,000 streams at once: no losses, and the memory per stream
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from bench.load import Outcome
from bench.processes import ROOT, resident_kib
from bench.stand import Result, Stand, System

MAX_RATIO = 5.0
MAX_FIRST_CHUNK_MS = 5.0
MAX_CHUNK_MS = 0.5
MAX_STREAM_KIB = 200.0
CHAIN_STARTS, GATEWAY_STARTS = 128, 256
CROWD = 1000


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the report. `target` and `met` are None for a figure that is only for comparison."""

    measure: str
    system: str
    value: float
    unit: str
    target: float | None = None
    complaint: str = ""

    @property
    def met(self) -> bool | None:
        return None if self.target is None else self.value <= self.target


def cost(stand: Stand, rounds: int) -> Iterator[Line]:
    """Medians over the rounds. The systems take turns, so that a slow phase of the machine affects all of them."""
    systems = [system for system in (stand.nginx, stand.gateway, stand.chain) if system is not None]
    results: dict[str, list[Result]] = {system.name: [] for system in systems}
    for system in systems:
        stand.load(system, 10, 20, 20)  # connections, caches and lazy imports
    for _ in range(rounds):
        for system in systems:
            results[system.name].append(stand.load(system, 100, 200, 20))
    costs = {name: median(result.cpu_us_per_chunk for result in taken) for name, taken in results.items()}
    for name, taken in results.items():
        outcomes = [result.outcome for result in taken]
        yield Line("processor time per chunk", name, costs[name], "µs")
        yield Line("delay of a chunk, median", name, median(outcome.delay_p50 for outcome in outcomes), "ms")
        yield Line("delay of a chunk, p99", name, median(outcome.delay_p99 for outcome in outcomes), "ms")
        yield from _nothing_lost("100 streams", name, outcomes)
    if stand.nginx is not None:
        yield Line("processor time, compared with nginx", "chain", costs["chain"] / costs["nginx"], "times", MAX_RATIO)


def alone(stand: Stand, rounds: int) -> Iterator[Line]:
    """One stream at a time: directly to the provider, through the gateway and through the chain, in turns."""
    outcomes: dict[str, list[Outcome]] = {"direct": [], "gateway": [], "chain": []}
    for _ in range(rounds):
        for system in (stand.direct, stand.gateway, stand.chain):
            outcomes[system.name].append(stand.load(system, 1, 20, 20, batches=8).outcome)
    first = {name: median(outcome.first_p50 for outcome in taken) for name, taken in outcomes.items()}
    delay = {name: median(outcome.delay_p50 for outcome in taken) for name, taken in outcomes.items()}
    yield Line("first chunk, added to a stream alone", "gateway", first["gateway"] - first["direct"], "ms")
    yield Line("first chunk, added to a stream alone", "chain", first["chain"] - first["direct"], "ms", MAX_FIRST_CHUNK_MS)
    yield Line("each chunk, added to a stream alone", "gateway", delay["gateway"] - delay["direct"], "ms")
    yield Line("each chunk, added to a stream alone", "chain", delay["chain"] - delay["direct"], "ms", MAX_CHUNK_MS)


def starts(stand: Stand) -> Iterator[Line]:
    """Streams that all begin at the same moment, at the pace of a fast model."""
    for system, streams in ((stand.gateway, GATEWAY_STARTS), (stand.chain, CHAIN_STARTS)):
        outcome = stand.load(system, streams, 64, 20).outcome
        yield Line(f"{streams} starts at once, first chunk, p99", system.name, outcome.first_p99, "ms")
        yield from _nothing_lost(f"{streams} starts at once", system.name, [outcome])


def crowd(stand: Stand) -> Iterator[Line]:
    """As many streams as one worker per tier must carry. The servers are fresh, so the added memory belongs to these streams."""
    stand.load(stand.chain, 5, 5, 20)
    outcome, used = _memory(stand, stand.chain)
    yield Line(f"memory per stream, {CROWD} at once", "chain", used / CROWD, "KiB", MAX_STREAM_KIB)
    yield Line(f"{CROWD} at once, chunks lost", "chain", outcome.lost, "", 0, outcome.complaint)


def _memory(stand: Stand, system: System) -> tuple[Outcome, float]:
    """Runs the crowd and watches the memory of the system's processes. Returns their largest increase, in KiB."""
    pids = system.pids
    before = resident_kib(pids)
    most = before
    with subprocess.Popen(stand.command(system, CROWD, 20, 500), stdout=subprocess.PIPE, text=True, cwd=ROOT) as load:
        while load.poll() is None:
            most = max(most, resident_kib(pids))
            time.sleep(0.1)
        output = load.stdout.read() if load.stdout is not None else ""
    return Outcome.from_json(output), most - before


def _nothing_lost(what: str, system: str, outcomes: list[Outcome]) -> Iterator[Line]:
    target = None if system == "nginx" else 0
    complaint = next((outcome.complaint for outcome in outcomes if outcome.complaint), "")
    yield Line(f"{what}, chunks lost", system, sum(outcome.lost for outcome in outcomes), "", target, complaint)
    yield Line(f"{what}, streams stalled", system, sum(outcome.stalled for outcome in outcomes), "", target)
