"""What a benchmark says of itself."""

from __future__ import annotations

from bench.measures import Line
from bench.report import summary


def test_targets_are_counted() -> None:
    """What is told for comparison only has no part in the verdict."""
    lines = [Line("delay", "chain", 3, "ms", 5), Line("stalled", "chain", 2, "", 0), Line("stalled", "nginx", 0, "")]
    assert summary(lines) == "1 of 2 targets met; missed: stalled (chain)"


def test_a_busy_machine_is_told() -> None:
    """Where even nginx stalled, the verdict is about the machine."""
    lines = [Line("streams stalled", "chain", 2, "", 0), Line("streams stalled", "nginx", 33, "")]
    assert "something else kept the machine busy" in summary(lines)
