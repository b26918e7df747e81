"""A load of concurrent event streams against one address, and what a reader saw of each chunk.

Strategy. The provider writes the machine's monotonic clock into every chunk (`stamp` in `bench.script`), and this reader, on the same
machine, subtracts: what is left is the time between the two. One bare protocol per stream, so that the reader costs less than what is
measured; it runs as a process of its own, so that it can sit on a core of its own.

    python -m bench.load '{"port": 8003, "path": "/v1/chat/completions", "body": {...}, "streams": 100, "chunks": 200, "gap_ms": 20}'
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any, Self, cast

import uvloop

_STAMP = re.compile(rb" @(\d+)@")
_TAIL = 64
"""No stamp and no terminal frame is longer than this, so no more has to be kept between two reads."""


@dataclass(frozen=True, slots=True)
class Load:
    """`streams` requests at once, `batches` times one after the other, each to be answered with `chunks` chunks `gap_ms` apart."""

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
        body = json.dumps(self.body).encode()
        fields = {"Host": f"127.0.0.1:{self.port}", "Content-Type": "application/json", "Content-Length": str(len(body))}
        lines = [f"POST {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in (fields | self.headers).items())]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the readers saw. Times are in milliseconds."""

    chunks: int
    lost: int
    """Chunks that never came."""
    stalled: int
    """Streams with a chunk that came later than twice its gap after the one before, or with no end."""
    delay_p50: float
    """From a chunk's writing at the provider to its reading here."""
    delay_p99: float
    delay_max: float
    first_p50: float
    """From the request to the first chunk."""
    first_p99: float
    wall_s: float
    complaint: str
    """The beginning of an answer that was not what was asked for."""

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls(**json.loads(text))


class Reader(asyncio.Protocol):
    """One stream: the request out, stamps in."""

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
        """Ends the connection, if there is one, and returns once it has ended."""
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
    """Runs the load to its end, however it ends."""
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
    """By nearest rank, in milliseconds; 0 where there is nothing."""
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1e6, 4) if ordered else 0.0


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(run(Load(**json.loads(sys.argv[1])))))))
