"""The report and verdict of a benchmark."""

from __future__ import annotations

from bench.measures import Line
from bench.report import summary


def test_targets_are_counted() -> None:
    """Lines that are only for comparison do not count in the verdict."""
    lines = [Line("delay", "chain", 3, "ms", 5), Line("stalled", "chain", 2, "", 0), Line("stalled", "nginx", 0, "")]
    assert summary(lines) == "1 of 2 targets met; missed: stalled (chain)"


def test_a_busy_machine_is_told() -> None:
    """If even nginx stalled, the verdict says that the machine was busy."""
    lines = [Line("streams stalled", "chain", 2, "", 0), Line("streams stalled", "nginx", 33, "")]
    assert "something else kept the machine busy" in summary(lines)
