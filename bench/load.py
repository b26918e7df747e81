"""Puts a load of concurrent event streams on one address, and records when each chunk arrived.

Strategy. The provider writes the machine's monotonic clock into every chunk (`stamp` in `bench.script`). This reader runs on the same
machine and subtracts that time from its own, which gives the delay. Each stream is one bare protocol, so that the reader costs less
than the system it measures. It is a separate process, so that it can have its own core.

    python -m bench.load '{"port": 8003, "path": "/v1/chat/completions", "body": {...}, "streams": 100, "chunks": 200, "gap_ms": 20}'
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self, cast

import uvloop

_STAMP = re.compile(rb" @(\d+)@")
_TAIL = 64
"""No stamp and no terminal frame is longer than this, so this many bytes are enough to keep between two reads."""


def post(port: int, path: str, body: bytes, headers: Mapping[str, str], length: int | None = None) -> bytes:
    """A request with this JSON. With `length`, its head announces a body of so many bytes, whatever it brings."""
    fields = {"Host": f"127.0.0.1:{port}", "Content-Type": "application/json", "Content-Length": str(length or len(body))}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in {**fields, **headers}.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass(frozen=True, slots=True)
class Load:
    """`batches` batches, one after the other, of `streams` requests at once. Each answer should have `chunks` chunks, `gap_ms` apart."""

    port: int
    path: str
    body: dict[str, Any]
    streams: int
    chunks: int
    gap_ms: float
    headers: dict[str, str] = field(default_factory=dict)
    batches: int = 1
    timeout_s: float = 120.0

    def request(self) -> bytes:
        return post(self.port, self.path, json.dumps(self.body).encode(), self.headers)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the readers saw. Times are in milliseconds, except `wall_s`."""

    chunks: int
    lost: int
    """Chunks that never came."""
    stalled: int
    """Streams that did not end, or in which a chunk came more than two gaps after the one before it."""
    delay_p50: float
    """From the write of a chunk at the provider to its read here."""
    delay_p99: float
    delay_max: float
    first_p50: float
    """From the request to the first chunk."""
    first_p99: float
    wall_s: float
    complaint: str
    """The beginning of an answer that was wrong or incomplete; empty if there was none."""

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls(**json.loads(text))


class Reader(asyncio.Protocol):
    """One stream: it sends the request and reads the stamps."""

    def __init__(self, request: bytes, done: asyncio.Future[None]) -> None:
        self._request = request
        self._done = done
        self._transport: asyncio.Transport | None = None
        self._tail = b""
        self.head = b""
        self.sent = 0
        self.ended = False
        self.delays: list[int] = []
        self.arrivals: list[int] = []

    async def close(self) -> None:
        """Closes the connection, if there is one, and returns once it is closed."""
        if self._transport is not None:
            self._transport.abort()
            await self._done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.sent = time.perf_counter_ns()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter_ns()
        if len(self.head) < 600:
            self.head += data[:600]
        window, end = self._tail + data, 0
        for match in _STAMP.finditer(window):
            self.delays.append(now - int(match[1]))
            self.arrivals.append(now)
            end = match.end()
        refused = not self.head.startswith(b"HTTP/1.1 200")
        if self._transport is not None and (refused or b"data: [DONE]" in window or b"event: failed" in window):
            self.ended = b"data: [DONE]" in window
            self._transport.close()
        self._tail = window[max(end, len(window) - _TAIL) :]

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def stalled(self, limit_ns: float) -> bool:
        return not self.ended or any(later - sooner > limit_ns for sooner, later in itertools.pairwise(self.arrivals))


async def _stream(load: Load, request: bytes) -> Reader:
    loop = asyncio.get_running_loop()
    reader = Reader(request, loop.create_future())
    try:
        async with asyncio.timeout(load.timeout_s):
            await loop.create_connection(lambda: reader, "127.0.0.1", load.port)
            await asyncio.shield(reader._done)
    except (OSError, TimeoutError) as error:
        reader.head = reader.head or repr(error).encode()
    finally:
        await reader.close()
    return reader


async def run(load: Load) -> Outcome:
    """Runs the load until all streams have ended or timed out."""
    request, readers = load.request(), list[Reader]()
    begun = time.perf_counter()
    for _ in range(load.batches):
        readers += await asyncio.gather(*(_stream(load, request) for _ in range(load.streams)))
    wall = time.perf_counter() - begun
    delays = sorted(delay for reader in readers for delay in reader.delays)
    firsts = sorted(reader.arrivals[0] - reader.sent for reader in readers if reader.arrivals)
    wrong = next((reader for reader in readers if len(reader.delays) != load.chunks or not reader.ended), None)
    return Outcome(
        chunks=len(delays),
        lost=sum(max(0, load.chunks - len(reader.delays)) for reader in readers),
        stalled=sum(reader.stalled(2e6 * load.gap_ms) for reader in readers),
        delay_p50=_quantile(delays, 0.5),
        delay_p99=_quantile(delays, 0.99),
        delay_max=_quantile(delays, 1.0),
        first_p50=_quantile(firsts, 0.5),
        first_p99=_quantile(firsts, 0.99),
        wall_s=round(wall, 3),
        complaint=wrong.head.decode("utf-8", "replace") if wrong else "",
    )


def _quantile(ordered: list[int], share: float) -> float:
    """The quantile by nearest rank, in milliseconds; 0 for an empty list."""
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1e6, 4) if ordered else 0.0


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(run(Load(**json.loads(sys.argv[1])))))))
