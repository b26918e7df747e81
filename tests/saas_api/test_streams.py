"""The gateway's streams: what stands in them, when it comes, and that a reader who comes back misses nothing."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

import pytest

from bench.script import expected_text
from tests.saas_api.conftest import Gateway
from tests.support.streams import Frame, content_of


async def test_headers_ids_and_the_order_of_the_end(gateway: Gateway) -> None:
    """Headers are those of the wire, ids have no gaps, and the end is receipt, hop, [DONE]."""
    async with gateway.stream(gateway.call()) as stream:
        await stream.read_all()
    headers = stream.headers
    assert stream.status == 200
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-cache, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in headers
    *numbered, done = stream.frames
    assert [frame.id for frame in numbered] == list(range(len(numbered)))
    assert (done.data, done.id) == ("[DONE]", None)
    assert [frame.event for frame in numbered[-2:]] == ["receipt", "hop"]
    assert content_of(stream.frames) == expected_text(20)
    receipt = numbered[-2].json()
    assert (receipt["job_id"], receipt["call_id"]) == (headers["x-job-id"], headers["x-call-id"])
    assert (receipt["status"], receipt["finish_reason"], receipt["estimated"]) == ("finished", "stop", False)
    assert receipt["usage"]["completion_tokens"] == 20
    assert receipt["resolved_model"] == "openai/bench+text"
    prompt = receipt["usage"]["prompt_tokens"]
    assert receipt["cost_usd"] == f"0.{prompt + 2 * 20:06d}"  # 1 and 2 dollars per million


@pytest.mark.timing
async def test_headers_come_before_the_first_token(gateway: Gateway) -> None:
    """A call can be named, and so stopped, while the model is still silent."""
    begun = time.monotonic()
    async with gateway.stream(gateway.call("hang")) as stream:
        assert stream.headers["x-call-id"].startswith("call_")
        assert time.monotonic() - begun < 0.5


@pytest.mark.timing
async def test_chunks_keep_their_pace(gateway: Gateway) -> None:
    """Chunks that are written 50 ms apart do not wait for each other: half of them are here within 5 ms."""
    async with gateway.stream(gateway.call("stamp", "20 50 50")) as stream:
        await stream.read_all()
    chunks = [frame for frame in stream.frames if "@" in frame.data]
    written = [int(content_of([frame]).strip(" @")) for frame in chunks]
    delays = [(frame.at - stamp) / 1e6 for frame, stamp in zip(chunks, written, strict=True)]
    assert len(chunks) == 20
    assert sorted(delays)[10] <= 5


async def test_the_hop_tells_its_times(gateway: Gateway) -> None:
    """The marks are in order, and there is an arrival and a departure for every chunk."""
    async with gateway.stream(gateway.call("text", "30 5 20")) as stream:
        await stream.read_all()
    hop = next(frame.json() for frame in stream.frames if frame.event == "hop")
    order = ["upstream_sent_us", "upstream_headers_us", "first_in_us", "first_out_us", "last_out_us"]
    marks = [hop[name] for name in order]
    assert marks == sorted(marks)
    assert hop["first_in_us"] - hop["upstream_sent_us"] >= 20_000
    assert hop["frames"] == len([frame for frame in stream.frames if frame.is_chunk]) == len(hop["arrivals_us"])
    assert hop["arrivals_us"] == sorted(hop["arrivals_us"])
    assert hop["dwell_us"]["p50"] < 20_000


async def test_a_place_beyond_the_end_is_refused(gateway: Gateway) -> None:
    """An empty rest that ends in order would look like a whole answer."""
    async with gateway.stream(gateway.call()) as stream:
        await stream.read_all()
    job_id, call_id, last = stream.headers["x-job-id"], stream.headers["x-call-id"], max(frame.id or 0 for frame in stream.frames)
    for place, status in ((last, 200), (last + 1, 400), (999_999, 400)):
        async with gateway.resume(job_id, call_id, place) as rest:
            await rest.read_all()
        assert rest.status == status


async def test_a_cut_reader_resumes_without_loss(gateway: Gateway) -> None:
    """A reader that is cut at random places and comes back with Last-Event-ID ends with every frame, once, in order."""
    chance = random.Random(11)

    async def one() -> None:
        async with gateway.stream(gateway.call("text", "40 3 3")) as stream:
            job_id, call_id = stream.headers["x-job-id"], stream.headers["x-call-id"]
            await stream.read_bytes(chance.randrange(1, 6000))
            frames: list[Frame] = list(stream.frames)
            stream.cut()
        for _ in range(20):
            if frames and frames[-1].is_terminal:
                break
            last = frames[-1].id if frames else None
            async with gateway.resume(job_id, call_id, last) as stream:
                await stream.read_bytes(chance.randrange(1, 8000))
                frames += stream.frames
                stream.cut()
        assert [frame.id for frame in frames[:-1]] == list(range(len(frames) - 1))
        assert content_of(frames) == expected_text(40)
        assert frames[-1].data == "[DONE]"

    for _ in range(5):
        await asyncio.gather(*(one() for _ in range(4)))


async def test_a_reader_from_beyond_the_end_still_gets_the_end(gateway: Gateway) -> None:
    """Someone who has seen everything but the terminal frame receives just that."""
    async with gateway.stream(gateway.call()) as stream:
        await stream.read_all()
        last = stream.frames[-2].id
    async with gateway.resume(stream.headers["x-job-id"], stream.headers["x-call-id"], last) as again:
        assert await again.read_all() == b"data: [DONE]\n\n"


async def test_a_vanished_client_does_not_end_the_answer(gateway: Gateway) -> None:
    """Within the grace the generation goes on, and whoever comes back finds all of it."""
    async with gateway.stream(gateway.call("text", "30 10 0")) as stream:
        await stream.read_frames(3)
        stream.cut()
    async with gateway.resume(stream.headers["x-job-id"], stream.headers["x-call-id"], None) as again:
        await again.read_all()
    assert content_of(again.frames) == expected_text(30)


async def test_without_a_reader_the_grace_ends_it(make_gateway: Callable[..., Gateway]) -> None:
    """After RESUME_GRACE_S with nobody listening the provider is stopped, and what came is settled as cancelled."""
    gateway = make_gateway(RESUME_GRACE_S="0.3")
    async with gateway.stream(gateway.call("stall")) as stream:
        await stream.read_frames(5)
    await asyncio.to_thread(gateway.provider.wait_for, lambda stats: stats["cancelled"] == 1, 0.8)
    async with gateway.resume(stream.headers["x-job-id"], stream.headers["x-call-id"], None) as again:
        await again.read_all()
    receipt = next(frame.json() for frame in again.frames if frame.event == "receipt")
    assert (receipt["status"], receipt["estimated"]) == ("cancelled", True)
    assert receipt["usage"]["completion_tokens"] == 10


@pytest.mark.timing
async def test_stop_closes_the_providers_socket_at_once(gateway: Gateway) -> None:
    """Within 200 ms of the cancel the provider has lost its reader; what came is in the stream, which ends in order."""
    cancelled = (await asyncio.to_thread(gateway.provider.stats))["cancelled"]
    async with gateway.stream(gateway.call("stall")) as stream, gateway.client() as client:
        await stream.read_frames(11)
        pressed = time.perf_counter_ns()
        path = f"/api/jobs/{stream.headers['x-job-id']}/calls/{stream.headers['x-call-id']}/cancel"
        answer = (await client.post(path)).json()
        stats = await asyncio.to_thread(gateway.provider.wait_for, lambda stats: stats["cancelled"] > cancelled, 1.0)
        await stream.read_all()
        again = (await client.post(path)).json()
    assert (stats["cancelled_ns"] - pressed) / 1e6 < 200
    assert answer["status"] == again["status"] == "cancelled"
    assert content_of(stream.frames) == expected_text(10)
    assert stream.frames[-1].data == "[DONE]"
    assert next(frame.json()["status"] for frame in stream.frames if frame.event == "receipt") == "cancelled"


async def test_stop_before_the_first_token(gateway: Gateway) -> None:
    """A call that is still waiting for its model can be stopped as well."""
    async with gateway.stream(gateway.call("hang")) as stream, gateway.client() as client:
        path = f"/api/jobs/{stream.headers['x-job-id']}/calls/{stream.headers['x-call-id']}/cancel"
        assert (await client.post(path)).json()["status"] == "cancelled"
        await stream.read_all()
    assert [frame.event for frame in stream.frames] == ["receipt", "hop", "message"]
    assert stream.frames[-1].data == "[DONE]"


async def test_a_repeated_idempotency_key_leads_to_the_same_call(gateway: Gateway) -> None:
    """Sending a request twice starts one call; the second reader gets it from its beginning, also when both come at once."""
    before = (await asyncio.to_thread(gateway.provider.stats))["requests"]
    body = gateway.call("text", "20 5 5")

    async def ask() -> tuple[str, str]:
        async with gateway.stream(body, **{"Idempotency-Key": "turn-1"}) as stream:
            await stream.read_all()
        return stream.headers["x-call-id"], content_of(stream.frames)

    answers = await asyncio.gather(*(ask() for _ in range(5)))
    assert set(answers) == {(answers[0][0], expected_text(20))}
    assert (await asyncio.to_thread(gateway.provider.stats))["requests"] == before + 1


async def test_a_key_belongs_to_a_job_that_is_made_for_its_call(gateway: Gateway) -> None:
    """On a job that exists an Idempotency-Key would promise what is not kept, so it is refused."""
    async with gateway.client() as client:
        created = await client.post("/api/jobs/create", json={"team_id": gateway.team_id, "job_type": "test"})
        path = f"/api/jobs/{created.json()['job_id']}/llm-call"
        response = await client.post(path, json=gateway.call(), headers={"Idempotency-Key": "once"})
    assert (response.status_code, response.json()["error"]["code"]) == (422, "invalid_request")


async def test_no_grace_at_all(make_gateway: Callable[..., Gateway]) -> None:
    """With RESUME_GRACE_S=0 an answer still reaches its reader, and ends with it."""
    gateway = make_gateway(RESUME_GRACE_S="0")
    async with gateway.stream(gateway.call()) as stream:
        await stream.read_all()
    assert content_of(stream.frames) == expected_text(20)
    async with gateway.stream(gateway.call("stall")) as stream:
        await stream.read_frames(3)
    await asyncio.to_thread(gateway.provider.wait_for, lambda stats: stats["cancelled"] == 1, 0.5)
