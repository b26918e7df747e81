"""Many short requests over raw sockets, each ended in one way or another: what the tests of memory send.

No client library: what a client leaves behind must not be looked for in the server.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

AT_ONCE = 4
"""Few: each of them may leave an idle connection in a pool, which is some fifty objects that are no leak."""
TIMEOUT_S = 60.0


class Exchange:
    """One connection with one request on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def head(self) -> dict[str, str]:
        """The response's header fields, with names in lower case."""
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:]) if name}

    async def first_chunk(self) -> None:
        """Returns once an answer has begun."""
        await self.reader.readuntil(b"data: {")

    async def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        return await self.reader.read()


Ending = Callable[[Exchange], Awaitable[None]]
"""What a client does once it has sent its request."""


async def to_the_end(exchange: Exchange) -> None:
    """Reads all of the answer."""
    await exchange.rest()


async def leave(exchange: Exchange) -> None:
    """Leaves in the middle of the answer."""
    await exchange.first_chunk()


async def leave_unheard(exchange: Exchange) -> None:
    """Leaves before anything has come."""
    await asyncio.sleep(0.02)


async def post(port: int, path: str, body: Any, headers: Mapping[str, str], ending: Ending) -> None:
    """One request, ended like this, on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        sent = b"" if body is None else json.dumps(body).encode()
        lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Content-Type: application/json", f"Content-Length: {len(sent)}"]
        lines += ["Connection: close", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + sent)
        await ending(Exchange(reader, writer))
    finally:
        writer.transport.abort()


async def swarm(count: int, one: Callable[[int], Awaitable[None]]) -> None:
    """Runs `one` so many times, some of them at once."""
    places = asyncio.Semaphore(AT_ONCE)

    async def guarded(number: int) -> None:
        async with places, asyncio.timeout(TIMEOUT_S):
            await one(number)

    await asyncio.gather(*map(guarded, range(count)))
