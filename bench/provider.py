"""A scripted LLM provider for tests and benchmarks: OpenAI's chat dialect over a bare asyncio protocol.

    python -m bench.provider --port 9001

Strategy. A connection plays the steps of an answer (`bench.script`) with one timer and no task. So the provider costs little
compared with the system under test, and it can misuse a socket in ways that no framework would.

`GET /stats` reports what it saw: `requests`, `open` (answers in progress), `cancelled` (the reader left before the end), `cancelled_ns`
(the CLOCK_MONOTONIC at the last cancellation), `finished`, and the `last` request's path, headers, body and client port.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import uvloop

from bench.script import Break, Script, Step, error

_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
)


@dataclass(slots=True)
class Stats:
    """What the provider has seen since it started."""

    requests: int = 0
    open: int = 0
    cancelled: int = 0
    cancelled_ns: int | None = None
    finished: int = 0
    last: dict[str, Any] | None = None
    attempts: Counter[str] = field(default_factory=Counter)
    """Requests per `user` of `flaky-2`."""

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("requests", "open", "cancelled", "cancelled_ns", "finished", "last")}


class Connection(asyncio.Protocol):
    """One client's connection. It answers the requests one after the other."""

    def __init__(self, stats: Stats) -> None:
        self._stats = stats
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._script: Script | None = None
        self._steps: Iterator[Step] = iter(())
        self._begun = 0.0
        self._timer: asyncio.Handle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._script is not None:
            self._script = None
            self._stats.open -= 1
            self._stats.cancelled += 1
            self._stats.cancelled_ns = time.perf_counter_ns()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            request, *fields = self._buffer[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in fields)}
            stop = end + 4 + int(headers.get("content-length", 0))
            if len(self._buffer) < stop:
                return
            body, self._buffer = self._buffer[end + 4 : stop], self._buffer[stop:]
            method, path, _ = request.split(" ", 2)
            self._requested(method, path, headers, body)

    def _requested(self, method: str, path: str, headers: dict[str, str], raw: bytes) -> None:
        if method == "GET":
            self._reply(200, self._stats.to_dict() if path == "/stats" else {"object": "list", "data": []})
            return
        body = json.loads(raw)
        self._stats.requests += 1
        port = self._transport.get_extra_info("peername")[1]
        self._stats.last = {"path": path, "headers": headers, "body": body, "port": port}
        script = Script.read(body)
        status = self._status(script)
        if status != 200:
            self._reply(status, error(status, "insufficient_quota") if script.behaviour == "out-of-quota" else error(status))
            return
        self._script = script
        self._stats.open += 1
        self._begun = self._loop.time()
        if script.stream:
            self._steps = script.steps()
            if script.behaviour == "hang":
                self._play()
            else:
                self._timer = self._loop.call_later(script.ttft_s, self._start)
        elif script.behaviour not in ("hang", "stall"):
            self._timer = self._loop.call_later(script.duration_s, self._complete)

    def _status(self, script: Script) -> int:
        """The status that the behaviour asks for."""
        if script.behaviour == "flaky-2":
            self._stats.attempts[script.user] += 1
            return 503 if self._stats.attempts[script.user] <= 2 else 200
        if script.behaviour == "out-of-quota":
            return 429
        kind, _, status = script.behaviour.partition("-")
        return int(status) if kind == "status" else 200

    def _reply(self, status: int, record: dict[str, Any]) -> None:
        body = json.dumps(record).encode()
        retry = "Retry-After: 1\r\n" if status in (429, 503) else ""
        head = f"HTTP/1.1 {status} Scripted\r\nContent-Type: application/json\r\n{retry}Content-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)

    def _complete(self) -> None:
        if self._script is not None:
            self._reply(200, self._script.completion())
            self._finished()

    def _start(self) -> None:
        self._transport.write(_STREAM_HEAD)
        self._play()

    def _play(self) -> None:
        """Plays the steps up to the next one that must wait."""
        for step in self._steps:
            match step:
                case bytes():
                    chunk = b"%x\r\n%b\r\n" % (len(step), step)
                    if self._script is not None and self._script.behaviour == "split":
                        self._write_split(chunk)
                        return
                    self._transport.write(chunk)
                case float():
                    due = self._begun + step
                    if due > self._loop.time() or step == 0.0:
                        self._timer = self._loop.call_at(due, self._play)
                        return
                case Break.SILENCE:
                    return
                case Break.CUT:
                    self._transport.write(b'ff\r\ndata: {"id":')
                    self._finished()
                    self._transport.close()
                    return
                case Break.END:
                    break
        self._transport.write(b"0\r\n\r\n")
        self._finished()

    def _write_split(self, data: bytes) -> None:
        """Writes one byte per turn of the event loop, and then plays the next step."""
        if data:
            self._transport.write(data[:1])
            self._timer = self._loop.call_soon(self._write_split, data[1:])
        else:
            self._play()

    def _finished(self) -> None:
        self._script = None
        self._stats.open -= 1
        self._stats.finished += 1


async def serve(port: int) -> None:
    """Serves on the loopback interface until cancelled."""
    stats = Stats()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(stats), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.provider", description="A scripted LLM provider.")
    parser.add_argument("--port", type=int, default=9001)
    try:
        uvloop.run(serve(parser.parse_args().port))
    except KeyboardInterrupt:
        pass  # the usual way to end it


if __name__ == "__main__":
    main()
