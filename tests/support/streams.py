"""A reader of event streams that sees exactly what came over the socket, and when.

Strategy. There is one TCP connection per request, without a pool or a client library. h11 parses HTTP, and every read notes its time.
Frames are parsed strictly (LF and known fields only), because a tolerant reader would hide the faults that these tests look for.

    async with open_stream(url, body={"message": "20 100 0"}) as stream:
        async for frame in stream:
            ...
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import h11

READ_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as it came: `raw` includes its blank line, and `at` is the `time.perf_counter_ns()` of the read that completed it."""

    raw: bytes
    at: int
    data: str = ""
    event: str = "message"
    id: int | None = None
    comment: bool = False

    @classmethod
    def parse(cls, raw: bytes, at: int) -> Frame:
        """Parses a frame. Raises ValueError for anything that our wire does not allow."""
        if b"\r" in raw:
            raise ValueError(f"a carriage return in a frame: {raw!r}")
        fields: dict[str, str] = {}
        for line in raw.decode().removesuffix("\n\n").split("\n"):
            name, _, value = line.partition(": ")
            if name in fields or name not in {"id", "event", "data", "retry", ""}:
                raise ValueError(f"an unexpected line in a frame: {line!r}")
            fields[name] = value
        number = int(fields["id"]) if "id" in fields else None
        return cls(raw, at, fields.get("data", ""), fields.get("event", "message"), number, "" in fields)

    def json(self) -> Any:
        return json.loads(self.data)

    @property
    def is_chunk(self) -> bool:
        return self.event == "message" and self.data.startswith("{")

    @property
    def is_terminal(self) -> bool:
        return self.data == "[DONE]" or self.event == "failed"


@dataclass
class Stream:
    """One response. Iterating gives its frames as they complete; `raw` is the whole body read so far."""

    status: int
    headers: dict[str, str]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    http: h11.Connection
    raw: bytearray = field(default_factory=bytearray)
    frames: list[Frame] = field(default_factory=list)
    complete: bool = False
    """Whether the body ended properly; False after a cut."""
    _parsed: int = 0

    async def __aiter__(self) -> AsyncIterator[Frame]:
        given = 0
        while True:
            while given < len(self.frames):
                given += 1
                yield self.frames[given - 1]
            if not await self._read():
                return

    async def read_all(self) -> bytes:
        """Reads the rest of the body and returns the whole body. If it is cut, it ends there and `complete` is False."""
        while await self._read():
            pass
        return bytes(self.raw)

    async def read_bytes(self, count: int) -> bytes:
        """Reads until the body has at least `count` bytes or ends. Returns the first `count` bytes, or all if there are fewer."""
        while len(self.raw) < count and await self._read():
            pass
        return bytes(self.raw[:count])

    async def read_frames(self, count: int) -> list[Frame]:
        """Reads until `count` frames are complete or the body ends."""
        while len(self.frames) < count and await self._read():
            pass
        return self.frames[:count]

    def cut(self) -> None:
        """Drops the connection at once with a reset, as a network failure does."""
        self.writer.transport.abort()

    async def _read(self) -> bool:
        """Reads once from the body. False at its end."""
        while True:
            event = self.http.next_event()
            if event is h11.NEED_DATA:
                try:
                    data = await asyncio.wait_for(self.reader.read(65536), READ_TIMEOUT_S)
                    self.http.receive_data(data)
                    if not data:
                        event = self.http.next_event()
                except (ConnectionError, h11.RemoteProtocolError):
                    return False
            if isinstance(event, h11.Data):
                self._take(bytes(event.data), time.perf_counter_ns())
                return True
            if isinstance(event, h11.EndOfMessage):
                self.complete = True
                return False
            if isinstance(event, h11.ConnectionClosed):
                return False

    def _take(self, data: bytes, at: int) -> None:
        self.raw += data
        if "text/event-stream" not in self.headers.get("content-type", ""):
            return
        while (end := self.raw.find(b"\n\n", self._parsed)) >= 0:
            self.frames.append(Frame.parse(bytes(self.raw[self._parsed : end + 2]), at))
            self._parsed = end + 2


@asynccontextmanager
async def open_stream(
    url: str,
    *,
    method: str | None = None,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    last_event_id: int | None = None,
) -> AsyncIterator[Stream]:
    """Sends the request (a POST with JSON if there is a body, otherwise a GET) and reads the response's head."""
    parts = urlsplit(url)
    payload = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"Host": parts.netloc, "Connection": "close"}
    if body is not None:
        fields |= {"Content-Type": "application/json", "Content-Length": str(len(payload))}
    if last_event_id is not None:
        fields["Last-Event-ID"] = str(last_event_id)
    fields |= dict(headers or {})
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 20)
    try:
        http = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        request = h11.Request(method=method or ("GET" if body is None else "POST"), target=target, headers=list(fields.items()))
        writer.write(b"".join(http.send(event) or b"" for event in _events(request, payload)))
        head = await _head(http, reader)
        values = {name.decode().lower(): value.decode() for name, value in head.headers}
        yield Stream(head.status_code, values, reader, writer, http)
    finally:
        writer.close()
        try:
            await writer.wait_closed()
        except ConnectionError:
            pass  # the server was killed, or the test cut the connection


def _events(request: h11.Request, payload: bytes) -> Iterable[h11.Event]:
    yield request
    if payload:
        yield h11.Data(data=payload)
    yield h11.EndOfMessage()


async def _head(http: h11.Connection, reader: asyncio.StreamReader) -> h11.Response:
    while True:
        event = http.next_event()
        if isinstance(event, h11.Response):
            return event
        if event is h11.NEED_DATA:
            data = await asyncio.wait_for(reader.read(65536), READ_TIMEOUT_S)
            if not data:
                raise ConnectionResetError("the server closed the connection before it answered")
            http.receive_data(data)
        else:
            raise ConnectionResetError(f"the server sent {event!r} before its answer")


def content_of(frames: Iterable[Frame]) -> str:
    """The joined text of the chunks among these frames."""
    choices = (choice for frame in frames if frame.is_chunk for choice in frame.json().get("choices", ()))
    return "".join(choice["delta"].get("content") or "" for choice in choices)
