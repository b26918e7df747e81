"""Runs all benchmarks and reports which promises hold on this machine: `make bench`."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench import measures, nginx, report
from bench.measures import Line
from bench.processes import ROOT, Cores, allow_many_files, busy
from bench.stand import Stand


def lines(folder: Path, cores: Cores, rounds: int) -> Iterator[Line]:
    """All lines, as they are measured. The crowd comes first, on its own servers, so that the measured memory is only its own."""
    with Stand(folder / "crowd", cores) as stand:
        yield from measures.crowd(stand)
    with Stand(folder / "all", cores) as stand:
        yield from measures.alone(stand, rounds)
        yield from measures.cost(stand, rounds)
        yield from measures.starts(stand)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures the chain against nginx and against its limits.")
    parser.add_argument("--quick", action="store_true", help="one round in place of three: half a minute, and noisier")
    rounds = 1 if parser.parse_args().quick else 3
    cores, taken = Cores(), list[Line]()
    load = os.getloadavg()[0]
    allow_many_files()
    print(f"Pinning: {cores.describe()}. {busy(load)}\n\n{report.heading()}")
    with tempfile.TemporaryDirectory(prefix="streaming-chat-bench-") as folder:
        for line in lines(Path(folder), cores, rounds):
            taken.append(line)
            print(report.row(line), flush=True)
    path = report.write(taken, ROOT / "bench" / "results", cores.describe(), load)
    without = "" if nginx.executable() else " nginx is not installed, so nothing was compared with it."
    print(f"\n{report.summary(taken)}.{without} Written to {path.relative_to(ROOT)}.")


if __name__ == "__main__":
    main()
