"""A small HTTP/1.1 server in the test's own event loop. A test may drop its connections at any byte.

A handler is cancelled as soon as its client leaves, so its `finally` block shows when that was.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(eq=False)
class Exchange:
    """A request, and the connection for its response."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    writer: asyncio.StreamWriter

    def json(self) -> Any:
        """The request's body."""
        return json.loads(self.body)

    async def respond(self, status: int, body: bytes) -> None:
        """Answers with this JSON."""
        await self._write(_head(status, {"Content-Type": "application/json", "Content-Length": str(len(body))}) + body)

    async def begin(self, headers: Mapping[str, str]) -> None:
        """Begins an answer that is written in pieces."""
        await self._write(_head(200, {**headers, "Transfer-Encoding": "chunked"}))

    async def write(self, data: bytes) -> None:
        """Writes the next piece of the answer."""
        await self._write(b"%x\r\n%b\r\n" % (len(data), data))

    async def end(self) -> None:
        """Ends the answer in order."""
        await self._write(b"0\r\n\r\n")

    def drop(self) -> None:
        """Aborts the connection."""
        self.writer.transport.abort()

    async def _write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()


Handler = Callable[[Exchange], Awaitable[None]]


class Listener:
    """Serves every request with the handler, from `start` to `stop`, always on the same port."""

    def __init__(self, port: int, handler: Handler) -> None:
        self.port = port
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)

    async def stop(self) -> None:
        """Stops listening and drops every connection. Stopping twice is allowed."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections)
            await server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has left, or the test has stopped the server
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one exchange after another until the client leaves."""
        begun = b""
        while True:
            exchange = await _read(begun, reader, writer)
            async with asyncio.TaskGroup() as group:
                answering = group.create_task(_answered(self._handler(exchange)))
                leaving = group.create_task(_first_byte(reader))
                await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
                if not answering.done():
                    answering.cancel()
            begun = leaving.result()
            if not begun:
                return


async def _answered(answer: Awaitable[None]) -> None:
    try:
        await answer
    except ConnectionError:
        pass  # the client left while the answer was being written


async def _first_byte(reader: asyncio.StreamReader) -> bytes:
    """Returns the first byte of the next request, or nothing if there will be none."""
    try:
        return await reader.read(1)
    except ConnectionError:
        return b""


async def _read(begun: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Exchange:
    first, *lines = (begun + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
    method, path, _ = first.split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Exchange(method, path, headers, body, writer)


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")
