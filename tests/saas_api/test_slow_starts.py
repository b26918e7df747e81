"""The OpenAI surface while a model thinks: the stream begins, is kept alive, and later errors stand in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import openai
import pytest

from tests.saas_api.conftest import Gateway, make
from tests.support.scripted import CHUNKED, LAST_CHUNK, Peer, chunk, upstream

TEXT = chunk(b'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hello"}}]}\n\n')
FINISH = chunk(b'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n')
DONE = chunk(b"data: [DONE]\n\n") + LAST_CHUNK
ERROR = chunk(b'data: {"error":{"message":"overloaded"}}\n\n') + LAST_CHUNK
UNAVAILABLE = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
PING = b": ping\n"


@dataclass
class Thinker:
    """A gateway whose provider thinks until it is told what to say."""

    gateway: Gateway
    says_so: bool = True
    """Whether it says with a head and comments that it thinks."""
    says: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    """Its words; None for a cut."""
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, peer: Peer) -> None:
        await peer.request()
        if self.says_so:
            await peer.send(CHUNKED + chunk(b": thinking\n\n"))
        telling, leaving = asyncio.create_task(self.says.get()), asyncio.create_task(peer.gone(60))
        await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if not telling.done():
            telling.cancel()
            self.left.set()
        elif (words := telling.result()) is not None:
            await peer.send(words)
        else:
            peer.cut()

    def ask(self) -> dict[str, object]:
        return {"model": "thinker", "stream": True, "messages": [{"role": "user", "content": "x"}]}


@pytest.fixture
async def thinker(tmp_path: Path) -> AsyncIterator[Thinker]:
    """The gateway, with nothing before its provider."""
    gateway = make(tmp_path)
    own = Thinker(gateway)
    async with upstream(own) as provider:
        (tmp_path / "models.toml").write_text(
            f"""
[[model_group]]
name = "thinker"
[[model_group.deployment]]
model = "openai/thinker"
api_base = "{provider.url}"
"""
        )
        await asyncio.to_thread(gateway.server.start)
        try:
            yield own
        finally:
            await asyncio.to_thread(gateway.server.stop)


async def test_pings_until_the_first_chunk(thinker: Thinker) -> None:
    """Head and ping come before the model has said anything, more pings while it thinks, and then the answer: no event but its own."""
    async with thinker.gateway.client() as client, client.stream("POST", "/v1/chat/completions", json=thinker.ask()) as response:
        assert (response.status_code, response.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        body = b""
        async for piece in response.aiter_raw():
            body += piece
            if body == PING * 2:
                thinker.says.put_nowait(TEXT + FINISH + DONE)
    assert body.startswith(PING * 2)
    hello, finish, done, end = body.removeprefix(PING * 2).split(b"\n\n")
    assert b'"Hello"' in hello
    assert b'"stop"' in finish
    assert (done, end) == (b"data: [DONE]", b"")


@pytest.mark.parametrize(
    ("begun", "words", "code"),
    [
        pytest.param(True, ERROR, "upstream_error", id="error frame"),
        pytest.param(True, None, "upstream_truncated", id="cut"),
        pytest.param(False, UNAVAILABLE, "upstream_unavailable", id="status"),
    ],
)
async def test_a_failure_after_the_head_stands_in_the_stream(thinker: Thinker, begun: bool, words: bytes | None, code: str) -> None:
    """The status has gone by then: the SDK finds the error in the stream, and asks no second time."""
    thinker.says_so = begun
    async with openai.AsyncOpenAI(
        base_url=f"{thinker.gateway.url}/v1", api_key=thinker.gateway.credentials["SAAS_VIRTUAL_KEY"], max_retries=0
    ) as sdk:
        stream = await sdk.chat.completions.create(model="thinker", messages=[{"role": "user", "content": "x"}], stream=True)
        thinker.says.put_nowait(words)
        with pytest.raises(openai.APIError) as failed:
            async for _ in stream:
                pass
    assert failed.value.code == code


async def test_a_failure_before_the_head_is_a_status(thinker: Thinker) -> None:
    """As long as nothing has been sent, however much the provider has said that it thinks."""
    async with thinker.gateway.client() as client:
        for begun, words, status in ((True, ERROR, 502), (True, None, 502), (False, UNAVAILABLE, 503)):
            thinker.says_so = begun
            thinker.says.put_nowait(words)
            response = await client.post("/v1/chat/completions", json=thinker.ask())
            assert (response.status_code, response.headers["content-type"]) == (status, "application/json")


@pytest.mark.parametrize("early", [True, False], ids=["before the head", "after the head"])
async def test_leaving_stops_the_thinking(thinker: Thinker, early: bool) -> None:
    """The provider is left with the reader, whether the stream has begun or not."""
    async with thinker.gateway.client() as client:
        if early:
            with pytest.raises(httpx.ReadTimeout):
                await client.post("/v1/chat/completions", json=thinker.ask(), timeout=1)
        else:
            async with client.stream("POST", "/v1/chat/completions", json=thinker.ask()):
                pass
        async with asyncio.timeout(1):
            await thinker.left.wait()
