"""The scripted provider does what its script says. All other tests of faults depend on this."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.script import JSON_ANSWER, TOOL_ARGUMENTS, expected_text
from tests.support.provider import Provider
from tests.support.streams import content_of, open_stream


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with Provider(tmp_path_factory.mktemp("provider")) as running:
        yield running


def request(behaviour: str, script: str = "12 0 0", **more: Any) -> dict[str, Any]:
    return {"model": f"bench+{behaviour}", "messages": [{"role": "user", "content": script}], "stream": True} | more


def url(provider: Provider) -> str:
    return f"{provider.api_base}/chat/completions"


@pytest.mark.parametrize(
    ("behaviour", "script", "text"),
    [
        ("text", "100 0 0", expected_text(100)),
        ("split", "12 0 0", expected_text(12)),
        ("null-usage", "12 0 0", expected_text(12)),
        ("no-done", "12 0 0", expected_text(12)),
        ("stall", "12 0 0", expected_text(10)),
        ("drop", "12 0 0", expected_text(10)),
        ("error-frame", "12 0 0", expected_text(10)),
        ("echo", "<b>Zoë</b> 👩‍🚀 and more", "<b>Zoë</b> 👩‍🚀 and more"),
        ("json", "1 0 0", JSON_ANSWER),
    ],
)
async def test_text_before_the_end(provider: Provider, behaviour: str, script: str, text: str) -> None:
    """Each behaviour writes its text up to the point where it breaks off."""
    async with open_stream(url(provider), body=request(behaviour, script)) as stream:
        got = ""
        async for frame in stream:
            if not frame.data.startswith('{"error"'):
                got += content_of([frame])
            if behaviour == "stall" and got == text:
                break
    assert text == got


@pytest.mark.parametrize(("behaviour", "ends", "done"), [("text", True, True), ("no-done", True, False), ("drop", False, False)])
async def test_how_a_body_ends(provider: Provider, behaviour: str, ends: bool, done: bool) -> None:
    """A body that is cut, one that ends without [DONE], and one that ends with [DONE] can be told apart."""
    async with open_stream(url(provider), body=request(behaviour)) as stream:
        body = await stream.read_all()
        assert (ends, done) == (stream.complete, body.endswith(b"data: [DONE]\n\n"))


@pytest.mark.parametrize("status", [401, 429, 500, 503])
async def test_error_status(provider: Provider, status: int) -> None:
    """A status behaviour answers with that status, and with `Retry-After` if a retry makes sense."""
    async with open_stream(url(provider), body=request(f"status-{status}")) as stream:
        body = json.loads(await stream.read_all())
        assert (status, status) == (stream.status, body["error"]["code"])
        assert (status in (429, 503)) == ("retry-after" in stream.headers)


async def test_flaky_recovers_per_user(provider: Provider) -> None:
    """The first two requests of each user fail, whatever other users do."""
    statuses = []
    for user in ("ada", "ada", "bob", "ada"):
        async with open_stream(url(provider), body=request("flaky-2", user=user)) as stream:
            statuses.append(stream.status)
    assert statuses == [503, 503, 503, 200]


async def test_crlf_noise(provider: Provider) -> None:
    """The CRLF behaviour sends comments, ids and retry fields, and no line that ends in LF alone."""
    async with open_stream(url(provider), body=request("crlf")) as stream:
        body = await stream.read_all()
    assert body.count(b"\n") == body.count(b"\r\n")
    assert all(field in body for field in (b": a comment\r\n", b"id: 3\r\n", b"retry: 700\r\n"))


async def test_tool_call_fragments(provider: Provider) -> None:
    """A tool call's arguments come in fragments, and only the first fragment has the id."""
    async with open_stream(url(provider), body=request("tools")) as stream:
        frames = [frame async for frame in stream if '"tool_calls":[' in frame.data]
    calls = [frame.json()["choices"][0]["delta"]["tool_calls"][0] for frame in frames]
    assert "".join(call["function"]["arguments"] for call in calls) == TOOL_ARGUMENTS
    assert [bool(call["id"]) for call in calls] == [True] + [False] * (len(calls) - 1)


@pytest.mark.timing
async def test_pace(provider: Provider) -> None:
    """The first chunk and the gaps between chunks come at the times in the script."""
    async with open_stream(url(provider), body=request("stamp", "6 40 100")) as stream:
        stamps = [int(frame.json()["choices"][0]["delta"]["content"].strip(" @")) async for frame in stream if " @" in frame.data]
    gaps = [(b - a) / 1e6 for a, b in itertools.pairwise(stamps)]
    assert len(gaps) == 5
    assert 190 < sum(gaps) < 260, gaps


async def test_a_reader_that_leaves_is_noticed(provider: Provider) -> None:
    """When a reader leaves, the provider counts a cancellation and notes when the socket closed."""
    before = await asyncio.to_thread(provider.wait_for, lambda stats: stats["open"] == 0)
    async with open_stream(url(provider), body=request("stall")) as stream:
        await stream.read_frames(3)
        during = provider.stats()
    after = await asyncio.to_thread(provider.wait_for, lambda stats: stats["cancelled"] > before["cancelled"])
    assert before["open"] + 1 == during["open"]
    assert before["open"] == after["open"]
    assert after["cancelled_ns"] > (before["cancelled_ns"] or 0)


async def test_without_a_stream(provider: Provider) -> None:
    """Without streaming, the same text comes in one JSON answer with its usage."""
    async with open_stream(url(provider), body=request("text", "12 0 0", stream=False)) as stream:
        answer = json.loads(await stream.read_all())
    assert answer["choices"][0]["message"]["content"] == expected_text(12)
    assert answer["usage"]["completion_tokens"] == 12


def test_it_remembers_the_last_request(provider: Provider) -> None:
    """The last request's path, headers and body can be looked up."""
    provider.request("POST", "/v1/chat/completions", request("text", stream=False, user="grace"), {"X-Request-Id": "r-1"})
    last = provider.stats()["last"]
    assert (last["path"], last["headers"]["x-request-id"], last["body"]["user"]) == ("/v1/chat/completions", "r-1", "grace")


def test_servers_end_with_their_context(tmp_path: Path) -> None:
    """A test server has ended when its context ends, and can start again on the same port."""
    server = Provider(tmp_path)
    ran = []
    for _ in range(2):
        with server:
            ran.append(server.running)
        ran.append(server.running)
    assert ran == [True, False, True, False]
