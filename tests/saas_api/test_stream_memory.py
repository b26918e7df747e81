"""What the gateway holds of streams is bounded: the oldest ended ones go, and a key that fills its part with running ones waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.saas_api.conftest import Gateway

MIB = 1024 * 1024
BIG = 2 * MIB
"""The text of a `big-frame` answer."""


async def test_the_oldest_ended_stream_makes_room(make_gateway: Callable[..., Gateway]) -> None:
    """It can be resumed no longer, its answer is where the error says, and the latest stream can still be resumed."""
    gateway = make_gateway(STREAM_MEMORY_BYTES_PER_KEY=str(5 * MIB))
    ids: list[tuple[str, str]] = []
    for _ in range(3):
        async with gateway.stream(gateway.call("big-frame")) as stream:
            assert len(await stream.read_all()) > BIG
        ids.append((stream.headers["x-job-id"], stream.headers["x-call-id"]))
    async with gateway.resume(*ids[0], None) as gone, gateway.client() as client:
        assert gone.status == 410
        body = await gone.read_all()
        assert b"stream_expired" in body
        assert f"/api/jobs/{ids[0][0]}".encode() in body
        assert len((await client.get(f"/api/jobs/{ids[0][0]}")).json()["calls"][0]["message"]["content"]) == BIG
    async with gateway.resume(*ids[2], None) as latest:
        assert len(await latest.read_all()) > BIG


async def test_whole_answers_count_too(make_gateway: Callable[..., Gateway]) -> None:
    """An answer that was not streamed is kept for those who repeat its request, within the same bound."""
    gateway = make_gateway(STREAM_MEMORY_BYTES=str(3 * MIB), STREAM_MEMORY_BYTES_PER_KEY=str(3 * MIB))
    async with gateway.client() as client:
        for number in range(2):
            answer = await client.post(
                "/api/jobs/create-and-call", json=gateway.call("big-frame"), headers={"Idempotency-Key": f"k{number}"}
            )
            assert answer.status_code == 200
        first = await client.post("/api/jobs/create-and-call", json=gateway.call("big-frame"), headers={"Idempotency-Key": "k0"})
        last = await client.post("/api/jobs/create-and-call", json=gateway.call("big-frame"), headers={"Idempotency-Key": "k1"})
    assert (first.status_code, last.status_code) == (410, 200)


async def test_a_key_that_fills_its_part_waits(make_gateway: Callable[..., Gateway]) -> None:
    """A further call is 429 and says when to come back. The running one fails once it grows beyond the bound, and keeps what came."""
    gateway = make_gateway(STREAM_MEMORY_BYTES_PER_KEY=str(MIB))
    async with gateway.stream(gateway.call("text", "20000 0.2 0")) as long, gateway.client() as client:
        for _ in range(400):
            refused = await client.post("/api/jobs/create-and-call", json=gateway.call())
            if refused.status_code == 429:
                break
            await asyncio.sleep(0.01)
        assert refused.json()["error"]["code"] == "rate_limited"
        assert int(refused.headers["retry-after"]) >= 1
        await long.read_all()
        failure = long.frames[-1]
        assert failure.event == "failed"
        assert failure.json()["error"]["code"] == "rate_limited"
        job = (await client.get(f"/api/jobs/{long.headers['x-job-id']}")).json()
        assert job["calls"][0]["status"] == "failed"
        assert len([frame for frame in long.frames if frame.is_chunk]) > 1000
        assert (await client.post("/api/jobs/create-and-call", json=gateway.call())).status_code == 200
