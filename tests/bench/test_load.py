"""The load generator reports what it saw and what was missing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.load import Load, Outcome, run
from tests.support.provider import Provider


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with Provider(tmp_path_factory.mktemp("provider")) as running:
        yield running


async def outcome(provider: Provider, behaviour: str, *, gap_ms: float = 1, scripted_gap_ms: float = 1, timeout_s: float = 20) -> Outcome:
    """The outcome of four streams of 12 chunks."""
    messages = [{"role": "user", "content": f"12 {scripted_gap_ms} 0"}]
    body = {"model": f"bench+{behaviour}", "stream": True, "messages": messages}
    return await run(Load(provider.port, "/v1/chat/completions", body, streams=2, batches=2, chunks=12, gap_ms=gap_ms, timeout_s=timeout_s))


async def test_whole_streams(provider: Provider) -> None:
    """Complete streams have all their chunks, positive delays, and no complaint."""
    seen = await outcome(provider, "stamp", gap_ms=1000)
    assert (48, 0, 0, "") == (seen.chunks, seen.lost, seen.stalled, seen.complaint)
    assert 0 < seen.delay_p50 <= seen.delay_p99 <= seen.delay_max
    assert 0 < seen.first_p50 <= seen.first_p99


async def test_late_chunks_are_stalls(provider: Provider) -> None:
    """A stream counts as stalled if a chunk comes later than twice the promised gap."""
    seen = await outcome(provider, "stamp", gap_ms=10, scripted_gap_ms=40)
    assert (0, 4) == (seen.lost, seen.stalled)


async def test_missing_chunks_are_lost(provider: Provider) -> None:
    """Chunks that never come are counted, and the answer's beginning is kept for the report."""
    seen = await outcome(provider, "status-500")
    assert (0, 48, 4) == (seen.chunks, seen.lost, seen.stalled)
    assert seen.complaint.startswith("HTTP/1.1 500")


async def test_silence_ends_the_measurement(provider: Provider) -> None:
    """A stream without an end is abandoned after the timeout and counts as stalled."""
    seen = await outcome(provider, "hang", timeout_s=0.3)
    assert (48, 4) == (seen.lost, seen.stalled)
