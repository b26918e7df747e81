"""The report of a benchmark: a table for the terminal, and the same data as JSON for comparing runs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from bench.measures import Line


def row(line: Line) -> str:
    """One line of the table."""
    number = f"{line.value:.0f}" if line.value == int(line.value) and not line.unit else f"{line.value:.2f}"
    target = "" if line.target is None else f"≤ {line.target:g} {line.unit}".rstrip()
    verdict = {None: "", True: "met", False: "MISSED"}[line.met]
    text = f"{line.measure:<44} {line.system:<8} {number:>9} {line.unit:<6} {target:<12} {verdict}".rstrip()
    return text + (f"\n    an answer began: {line.complaint[:300]!r}" if line.complaint and line.met is False else "")


def heading() -> str:
    return f"{'':<44} {'system':<8} {'':>9} {'':<6} {'target':<12}".rstrip()


def summary(lines: Sequence[Line]) -> str:
    """The verdict over all targets. If nginx stalled too, it adds that other work disturbed the run."""
    missed = [f"{line.measure} ({line.system})" for line in lines if line.met is False]
    total = sum(line.target is not None for line in lines)
    verdict = f"{total - len(missed)} of {total} targets met" + (f"; missed: {', '.join(missed)}" if missed else "")
    disturbed = any(line.system == "nginx" and "stalled" in line.measure and line.value for line in lines)
    return verdict + (". nginx's streams stalled too: something else kept the machine busy, so run it again" if disturbed else "")


def write(lines: Sequence[Line], folder: Path, pinning: str, load: float) -> Path:
    """Writes the report to a file named after the current time, and returns its path."""
    now = datetime.now(UTC)
    machine = {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "pinning": pinning,
        "load_before": load,
    }
    record = {"time": now.isoformat(), "machine": machine, "lines": [asdict(line) | {"met": line.met} for line in lines]}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{now:%Y-%m-%dT%H-%M-%SZ}.json"
    path.write_text(json.dumps(record, ensure_ascii=False, indent=2) + "\n")
    return path
