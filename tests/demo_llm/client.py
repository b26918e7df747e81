"""A client of the built-in model: whole answers, streams with the time of every read, and raw sockets for faulty responses."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.server import Server
from tests.support.streams import Frame, Stream, open_stream
from wire.accumulate import Accumulator

PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Told:
    """A stream that has been read to its end."""

    frames: list[Frame]
    folded: Accumulator
    asked_at: int

    @property
    def chunks(self) -> list[dict[str, Any]]:
        return [frame.json() for frame in self.frames if frame.is_chunk]

    @property
    def token_times_ms(self) -> list[float]:
        """When each token arrived, in milliseconds since the request."""
        tokens = [frame for frame in self.frames if frame.is_chunk and _content(frame)]
        return [(frame.at - self.asked_at) / 1e6 for frame in tokens]


class Demo:
    """The server, with a new socket for each request."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.url = server.url

    async def request(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, str], Any]:
        """Status, headers and parsed JSON of one exchange. A body of bytes is sent as it is."""
        async with open_stream(self.url + path, method=method, body=body) as response:
            raw = await response.read_all()
            assert response.complete
            return response.status, response.headers, json.loads(raw)

    async def ask(self, prompt: str, **fields: Any) -> dict[str, Any]:
        """The completion, without streaming."""
        status, _, body = await self.request("POST", PATH, request_for(prompt, fields))
        assert status == 200, body
        assert isinstance(body, dict)
        return body

    async def say(self, prompt: str, **fields: Any) -> str:
        """The text of the answer, without streaming."""
        content = (await self.ask(prompt, **fields))["choices"][0]["message"]["content"]
        assert isinstance(content, str)
        return content

    async def tell(self, prompt: str, **fields: Any) -> Told:
        """The answer as a stream, read to its end."""
        asked_at = time.perf_counter_ns()
        async with self.stream(prompt, **fields) as stream:
            frames = [frame async for frame in stream]
            assert stream.complete
        folded = Accumulator()
        for frame in frames:
            if frame.is_chunk:
                folded.add(frame.json())
        return Told(frames, folded, asked_at)

    def stream(self, prompt: str, **fields: Any) -> AbstractAsyncContextManager[Stream]:
        """The answer as a stream, not yet read."""
        return open_stream(self.url + PATH, body=request_for(prompt, fields) | {"stream": True})

    @asynccontextmanager
    async def bare(self, prompt: str, **fields: Any) -> AsyncIterator[asyncio.StreamReader]:
        """Everything that the server writes to the socket, including its HTTP."""
        body = json.dumps(request_for(prompt, fields)).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port, limit=1 << 20)
        head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        try:
            yield reader
        finally:
            writer.close()
            await writer.wait_closed()

    def log_lines(self) -> list[dict[str, Any]]:
        """What the server has logged so far."""
        return [json.loads(line) for line in self.server.stderr.splitlines() if line.endswith("}")]


def request_for(prompt: str, fields: dict[str, Any]) -> dict[str, Any]:
    """A request with one message to the fastest model, unless the fields say otherwise."""
    return {"model": "demo-fast", "messages": [{"role": "user", "content": prompt}]} | fields


async def until(condition: Callable[[], Awaitable[bool] | bool], timeout_s: float = 5.0) -> None:
    """Returns when the condition holds; it is checked every few milliseconds. Raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while True:
            met = condition()
            if met if isinstance(met, bool) else await met:
                return
            await asyncio.sleep(0.005)


def _content(frame: Frame) -> str:
    return "".join(choice["delta"].get("content") or "" for choice in frame.json()["choices"])
