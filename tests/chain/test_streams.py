"""Chunks on their way through both hops: they arrive on time, none is lost, and every hop reports its times."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import httpx
import pytest

from bench.script import expected_text
from tests.support.chain import Chain
from tests.support.server import Server
from tests.support.streams import Frame, Stream, content_of, open_stream


def ask(script: str, group: str = "text") -> dict[str, str]:
    return {"message": script, "model_group": group}


def cookie(stream: Stream) -> dict[str, str]:
    """The session cookie from the response."""
    return {"Cookie": stream.headers["set-cookie"].partition(";")[0]}


def check_wire(stream: Stream) -> None:
    """Checks the headers, ids without gaps, and one terminal frame without an id."""
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert stream.headers["cache-control"] == "no-cache, no-transform"
    assert stream.headers["x-accel-buffering"] == "no"
    ids = [frame.id for frame in stream.frames if frame.id is not None]
    assert ids == list(range(len(ids)))
    assert [frame.is_terminal for frame in stream.frames] == [False] * (len(stream.frames) - 1) + [True]
    assert stream.frames[-1].id is None


@pytest.mark.timing
async def test_pace_at_the_far_end(chain: Chain) -> None:
    """Chunks written 100 ms apart arrive 100 ms apart at every hop, each at most 20 ms after it was written."""
    gateway = {"model": "stamp", "stream": True, "messages": [{"role": "user", "content": "12 100 50"}]}
    ways: list[tuple[str, dict[str, Any], dict[str, str]]] = [
        (f"{chain.provider.url}/v1/chat/completions", gateway | {"model": "bench+stamp"}, {}),
        (f"{chain.saas_api.url}/v1/chat/completions", gateway, chain.key_header()),
        (f"{chain.url}/api/chat/stream", ask("12 100 50", "stamp"), {}),
    ]
    for url, body, headers in ways:
        delay, unevenness = await _lateness(url, body, headers)
        assert delay <= 20
        assert unevenness <= 20


async def _lateness(url: str, body: dict[str, Any], headers: dict[str, str]) -> tuple[float, float]:
    """The longest delay of a chunk since it was written, and the largest deviation of a gap from 100 ms, both in milliseconds."""
    async with open_stream(url, body=body, headers=headers) as stream:
        await stream.read_all()
    chunks = [frame for frame in stream.frames if "@" in frame.data]
    assert len(chunks) == 12
    delays = [(frame.at - int(content_of([frame]).strip(" @"))) / 1e6 for frame in chunks]
    gaps = [(after.at - before.at) / 1e6 for before, after in pairwise(chunks)]
    return max(delays), max(abs(gap - 100) for gap in gaps)


async def test_the_middle_tier_forwards_frames_untouched(chain: Chain) -> None:
    """The reader gets the gateway's bytes unchanged, and the lower hop's frame comes before the end, without an id."""
    async with open_stream(f"{chain.url}/api/chat/stream", body=ask("20 3 3")) as stream:
        await stream.read_all()
    check_wire(stream)
    events = [frame.event for frame in stream.frames[-4:]]
    assert events == ["receipt", "hop", "hop", "message"]
    upper, lower = (frame.json() for frame in stream.frames if frame.event == "hop")
    assert (upper["hop"], lower["hop"]) == ("saas_api", "client_server")
    receipt = next(frame.json() for frame in stream.frames if frame.event == "receipt")
    path = f"{chain.saas_api.url}/api/jobs/{receipt['job_id']}/calls/{receipt['call_id']}/stream"
    async with open_stream(path, headers=chain.key_header()) as above:
        await above.read_all()
    check_wire(above)
    numbered = [frame.raw for frame in stream.frames if frame.id is not None]
    assert numbered == [frame.raw for frame in above.frames if frame.id is not None]


async def test_cut_and_resumed_over_two_hops(chain: Chain) -> None:
    """Two hundred readers that are cut again and again at random places end with the provider's exact text."""
    chance = random.Random(5)

    async def one() -> None:
        async with open_stream(f"{chain.url}/api/chat/stream", body=ask("40 3 3")) as stream:
            session, turn = cookie(stream), stream.headers["x-turn-id"]
            await stream.read_bytes(chance.randrange(1, 6000))
            frames: list[Frame] = list(stream.frames)
            stream.cut()
        while not (frames and frames[-1].is_terminal):
            last = next((frame.id for frame in reversed(frames) if frame.id is not None), None)
            async with open_stream(f"{chain.url}/chat/turns/{turn}/events", headers=session, last_event_id=last) as stream:
                await stream.read_bytes(chance.randrange(40, 8000))
                frames += [frame for frame in stream.frames if "retry: " not in frame.raw.decode()]
                stream.cut()
        assert content_of(frames) == expected_text(40)
        ids = [frame.id for frame in frames if frame.id is not None]
        assert ids == list(range(len(ids)))

    for _ in range(50):
        await asyncio.gather(*(one() for _ in range(4)))


async def test_a_killed_middle_tier_resumes_to_the_same_bytes(make_chain: Callable[..., Chain]) -> None:
    """After kill -9 in mid-answer, the next process has the whole stream, including the frames that the first one sent."""
    chain = make_chain()
    async with open_stream(f"{chain.url}/api/chat/stream", body=ask("60 20 0")) as stream:
        session, turn = cookie(stream), stream.headers["x-turn-id"]
        before = list(await stream.read_frames(15))
        await asyncio.to_thread(chain.client_server.kill)
    await asyncio.to_thread(chain.client_server.start)
    async with open_stream(f"{chain.url}/chat/turns/{turn}/events", headers=session) as stream:
        await stream.read_all()
    frames = [frame for frame in stream.frames if frame.data]
    assert [frame.raw for frame in frames[: len(before)]] == [frame.raw for frame in before]
    assert content_of(frames) == expected_text(60)
    assert chain.provider.stats()["requests"] == 1
    assert frames[-2].json()["resumed"] is True


async def test_a_killed_gateway_is_an_interrupted_turn(make_chain: Callable[..., Chain]) -> None:
    """If the gateway dies, the reader keeps the text so far and learns after the restart that the answer was interrupted."""
    chain = make_chain()
    async with open_stream(f"{chain.url}/api/chat/stream", body=ask("200 20 0")) as stream:
        await stream.read_frames(15)
        await asyncio.to_thread(chain.saas_api.kill)
        await asyncio.to_thread(chain.saas_api.start)
        await stream.read_all()
    error = stream.frames[-1].json()["error"]
    assert error["code"] == "interrupted"
    text = content_of(stream.frames)
    assert len(text) > 20
    assert expected_text(200).startswith(text)
    async with open_stream(f"{chain.url}/api/chat/stream", body=ask("5 2 2")) as after:
        await after.read_all()
    assert content_of(after.frames) == expected_text(5)


async def test_request_ids_pass_through_every_hop(chain: Chain) -> None:
    """A request keeps the same id from the client to the provider."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"X-Request-Id": "one-name", "traceparent": trace}
    async with open_stream(f"{chain.url}/api/chat/stream", body=ask("3 2 2"), headers=headers) as stream:
        await stream.read_all()
    assert stream.headers["x-request-id"] == "one-name"
    for server in (chain.saas_api, chain.client_server):
        assert await _logged(server, "one-name", trace.split("-")[1])
    sent = chain.provider.stats()["last"]["headers"]
    assert sent["x-request-id"] == "one-name"
    assert trace.split("-")[1] in sent["traceparent"]


async def test_an_answer_without_end_ends_with_its_receipt(chain: Chain) -> None:
    """An answer without end is stopped at 32 MiB, and the reader keeps all of it and gets the reason and the cost."""
    async with httpx.AsyncClient(timeout=60) as client:
        response = await client.post(f"{chain.url}/api/chat/stream", json=ask("1000000 0 0"))
    *_, receipt, upper, lower, failed, rest = response.content.rsplit(b"\n\n", 5)
    assert rest == b""
    assert b"event: receipt" in receipt
    assert b'"status":"failed"' in receipt
    assert b'"hop":"saas_api"' in upper
    assert b'"hop":"client_server"' in lower
    assert failed.startswith(b"event: failed")
    assert b"upstream_protocol" in failed
    assert 31 < len(response.content) / 2**20 < 34
    assert chain.provider.wait_for(lambda stats: stats["open"] == 0, 2.0)


async def _logged(server: Server, *words: str) -> bool:
    """Whether one line of the server's log holds all of these words. The line is written when the response has ended."""
    for _ in range(100):
        if any(all(word in line for word in words) for line in server.stderr.splitlines()):
            return True
        await asyncio.sleep(0.02)
    return False


async def test_the_whole_answer_with_its_times(chain: Chain) -> None:
    """POST /api/chat returns the content, the usage and the times of both hops, which add up."""
    async with httpx.AsyncClient() as client:
        response = await client.post(f"{chain.url}/api/chat", json=ask("10 5 50"))
    answer = response.json()
    assert answer["content"] == expected_text(10)
    assert answer["usage"]["completion_tokens"] == 10
    assert "server-timing" in response.headers
    upper, lower = answer["timing"]
    assert lower["first_in_us"] - lower["upstream_sent_us"] >= upper["first_out_us"] >= 100_000
