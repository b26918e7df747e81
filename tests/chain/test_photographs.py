"""A message with a photograph passes both tiers, byte for byte, and nobody else waits for it."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.chain import Chain, models_toml
from tests.support.served import until

MIB = 1024 * 1024


class Recorder:
    """A provider that keeps what it was sent and answers with one word, at once or when it is told to."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.go = asyncio.Event()
        self.go.set()
        self.api_base = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one exchange."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].split("\r\n")[0])
        self.bodies.append(await reader.readexactly(length))
        await self.go.wait()
        chunk = {"choices": [{"index": 0, "delta": {"content": "Seen."}, "finish_reason": "stop"}]}
        whole = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Seen."}, "finish_reason": "stop"}]}
        streamed = json.loads(self.bodies[-1]).get("stream")
        body = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n" if streamed else json.dumps(whole)
        kind = "text/event-stream" if streamed else "application/json"
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def recorder() -> AsyncIterator[Recorder]:
    """A running one."""
    provider = Recorder()
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0, limit=2**16)
    async with server:
        provider.api_base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        yield provider


@pytest.fixture
async def eye() -> AsyncIterator[Recorder]:
    """A provider that keeps what it sees."""
    async with recorder() as provider:
        yield provider


@pytest.fixture
def chain_to(eye: Recorder, make_chain: Callable[..., Chain], tmp_path: Path) -> Callable[..., Any]:
    """Starts a chain to that provider, with these settings; the scripted provider keeps its other groups."""

    async def start(**env: str) -> Chain:
        chain = Chain(tmp_path / "chain", env=env)
        models = tmp_path / "chain" / "models.toml"
        seen = models_toml(eye.api_base, 20, 20).split("[[model_group]]")[1].replace('name = "chat-fast"', 'name = "eye"')
        models.write_text(f"{models.read_text()}\n[[model_group]]{seen}")
        await asyncio.to_thread(chain.start)
        return chain

    return start


@pytest.fixture
async def stopping(chain_to: Callable[..., Any]) -> AsyncIterator[Callable[..., Any]]:
    """The same, and stops it at the end."""
    chains: list[Chain] = []

    async def start(**env: str) -> Chain:
        chains.append(await chain_to(**env))
        return chains[-1]

    yield start
    for chain in chains:
        await asyncio.to_thread(chain.stop)


def photograph(size: int, seed: int = 1) -> str:
    """The URL of a picture of about so many bytes, of which no two pieces are alike."""
    return "data:image/jpeg;base64," + base64.b64encode(random.Random(seed).randbytes(size * 3 // 4)).decode()


def asking(url: str, group: str = "eye", text: str = "What is this?") -> dict[str, Any]:
    """A question about it."""
    parts = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": url}}]
    return {"model_group": group, "messages": [{"role": "user", "content": parts}]}


def padded(body: dict[str, Any], size: int) -> bytes:
    """The body as exactly so many bytes of JSON."""
    text = json.dumps(body).encode()
    return text + b" " * (size - len(text))


async def post(url: str, body: Any, **headers: str) -> httpx.Response:
    """Sends it as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with httpx.AsyncClient(timeout=60) as client:
        return await client.post(url, content=content, headers={"Content-Type": "application/json", **headers})


async def test_it_arrives_byte_for_byte(eye: Recorder, stopping: Callable[..., Any]) -> None:
    """With the defaults, 15 MiB pass the middle tier and the gateway on every route that takes messages, streamed and whole."""
    chain: Chain = await stopping()
    body = asking(photograph(15 * MIB))
    job = {"team_id": chain.credentials()["SAAS_TEAM_ID"], "job_type": "test"}
    gateway, key = chain.saas_api.url, chain.key_header()
    created = (await post(f"{gateway}/api/jobs/create", job, **key)).json()["job_id"]
    for url, more, headers in (
        (f"{chain.url}/api/chat", {}, {}),
        (f"{chain.url}/api/chat/stream", {}, {}),
        (f"{gateway}/v1/chat/completions", {}, key),
        (f"{gateway}/v1/chat/completions", {"stream": True}, key),
        (f"{gateway}/api/jobs/create-and-call", job, key),
        (f"{gateway}/api/jobs/create-and-call-stream", job, key),
        (f"{gateway}/api/jobs/{created}/llm-call", {}, key),
        (f"{gateway}/api/jobs/{created}/llm-call-stream", {}, key),
    ):
        answer = await post(url, body | more, **headers)
        assert (answer.status_code, "Seen." in answer.text) == (200, True), (url, answer.text[:300])
        assert json.loads(eye.bodies.pop())["messages"] == body["messages"], url


async def test_the_built_in_model_takes_one(demo_chain: Chain) -> None:
    """The chain as it is without a key answers what stands beside a photograph of 10 MiB."""
    body = asking(photograph(10 * MIB), "chat-fast", "Count to 3") | {"max_tokens": 20}
    answer = await post(f"{demo_chain.url}/api/chat", body)
    assert (answer.status_code, "3" in answer.json()["content"]) == (200, True)


async def test_one_byte_over(eye: Recorder, stopping: Callable[..., Any]) -> None:
    """The limit is the last size that passes. One byte more is 413 with the limit and its setting; other routes keep the small limit."""
    limit = 2 * MIB
    chain: Chain = await stopping(MAX_BODY_BYTES=str(limit))
    chat, completions, key = f"{chain.url}/api/chat", f"{chain.saas_api.url}/v1/chat/completions", chain.key_header()
    for url, headers in ((chat, {}), (completions, key)):
        body = asking(photograph(MIB + MIB // 2))
        assert (await post(url, padded(body, limit), **headers)).status_code == 200
        refused = await post(url, padded(body, limit + 1), **headers)
        assert refused.status_code == 413
        assert f"{limit} bytes (MAX_BODY_BYTES)" in refused.json()["error"]["message"]
    for url, headers in ((f"{chain.url}/chat/messages", {}), (f"{chain.saas_api.url}/api/jobs/create", key)):
        refused = await post(url, padded({}, MIB + 1), **headers)
        assert (refused.status_code, f"{MIB} bytes." in refused.json()["error"]["message"]) == (413, True)
    assert (await post(f"{chain.saas_api.url}/v1/chat/completions/", padded({}, MIB + 1), **key)).status_code == 413


async def test_other_streams_go_on_meanwhile(eye: Recorder, stopping: Callable[..., Any]) -> None:
    """While photographs pass, another stream's chunks come: between any two of them far less passes than a photograph takes."""
    chain: Chain = await stopping()
    loop = asyncio.get_running_loop()
    arrivals: list[float] = []

    def note(line: str) -> None:
        if line.startswith("data: {"):
            arrivals.append(loop.time())

    async def read() -> None:
        async with httpx.AsyncClient(timeout=60) as client:
            question = {"message": "1500 5 5", "model_group": "text"}
            async with client.stream("POST", f"{chain.url}/api/chat/stream", json=question) as response:
                async for line in response.aiter_lines():
                    note(line)

    reading = asyncio.create_task(read())
    await until(lambda: len(arrivals) > 20)
    body = json.dumps(asking(photograph(15 * MIB))).encode()
    began, before = loop.time(), len(arrivals)
    assert (await post(f"{chain.url}/api/chat", body)).status_code == 200
    took, during = loop.time() - began, len(arrivals) - before
    await reading
    assert json.loads(eye.bodies.pop())["messages"]
    assert during > took / 0.005 / 10
    assert len(arrivals) >= 1500


async def test_there_is_room_for_so_many(eye: Recorder, stopping: Callable[..., Any]) -> None:
    """What has arrived counts for as long as it is held. One too many is 429, short ones have room, and afterwards so has everybody."""
    chain: Chain = await stopping(BODY_MEMORY_BYTES=str(24 * MIB))
    body = json.dumps(asking(photograph(10 * MIB))).encode()
    for url, headers in ((f"{chain.saas_api.url}/v1/chat/completions", chain.key_header()), (f"{chain.url}/api/chat", {})):
        eye.go.clear()
        eye.bodies.clear()
        waiting = [asyncio.create_task(post(url, body, **headers)) for _ in range(2)]
        await until(lambda: len(eye.bodies) == 2, within=30)
        refused = await post(url, body, **headers)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert (await post(url, {"model_group": "text", "messages": [{"role": "user", "content": "3 1 1"}]}, **headers)).status_code == 200
        eye.go.set()
        assert [(await task).status_code for task in waiting] == [200, 200]
        assert (await post(url, body, **headers)).status_code == 200


async def test_a_stream_that_has_begun_gives_its_room_back(eye: Recorder, stopping: Callable[..., Any]) -> None:
    """The photograph is not held for as long as its answer flows: a third one passes while two answers are being written."""
    chain: Chain = await stopping(BODY_MEMORY_BYTES=str(24 * MIB))
    key = chain.key_header()
    url = f"{chain.saas_api.url}/v1/chat/completions"
    question = [{"role": "user", "content": "12000 5 0"}]
    flowing = {"model": "text", "messages": question, "stream": True, "user": "u" * (10 * MIB)}
    async with (
        httpx.AsyncClient(timeout=60, headers=key) as client,
        client.stream("POST", url, json=flowing),
        client.stream("POST", url, json=flowing),
    ):
        async with asyncio.timeout(20):
            while True:
                answer = await post(url, asking(photograph(10 * MIB)), **key)
                if answer.status_code != 429:
                    break
                await asyncio.sleep(0.2)  # the gateway looks every few seconds
    assert answer.status_code == 200


@pytest.mark.sqlite
async def test_what_is_stored(eye: Recorder, stopping: Callable[..., Any]) -> None:
    """Neither database keeps a picture, not even while its answer is being written; of the question the text is kept."""
    chain: Chain = await stopping()
    eye.go.clear()
    waiting = asyncio.create_task(post(f"{chain.url}/api/chat", asking(photograph(3 * MIB))))
    await until(lambda: len(eye.bodies) == 1, within=30)
    databases = [chain.data_dir / f"{name}.db" for name in ("client_server", "saas_api")]
    sizes = [sum(path.stat().st_size for path in chain.data_dir.glob(f"{database.name}*")) for database in databases]
    assert max(sizes) < MIB
    with closing(sqlite3.connect(databases[0])) as connection:
        assert connection.execute("SELECT user_message, request FROM turns").fetchall() == [("What is this?\n[image_url]", None)]
    eye.go.set()
    assert (await waiting).json()["content"] == "Seen."


@pytest.mark.parametrize("taken", [True, False], ids=["the gateway has it", "the gateway is away"])
async def test_a_middle_tier_that_dies(eye: Recorder, stopping: Callable[..., Any], taken: bool) -> None:
    """The next process goes on with the call, although the request is stored nowhere. One that the gateway had not taken is interrupted."""
    chain: Chain = await stopping(GATEWAY_WAIT_S="60")
    eye.go.clear()
    if not taken:
        await asyncio.to_thread(chain.saas_api.stop)
    url, body = f"{chain.url}/api/chat/stream", asking(photograph(3 * MIB))
    async with httpx.AsyncClient(timeout=60) as client:
        async with client.stream("POST", url, json=body) as response:
            turn = response.headers["x-turn-id"]
            if taken:
                await until(lambda: len(eye.bodies) == 1, within=30)
            await asyncio.to_thread(chain.client_server.kill)
        await asyncio.to_thread(chain.client_server.start)
        eye.go.set()
        address = f"{chain.url}/chat/turns/{turn}"
        if taken:
            assert "Seen." in (await client.get(f"{address}/events")).text
        assert (await client.get(f"{address}/timing")).json()["state"] == ("finished" if taken else "interrupted")
