"""A small forward proxy on a real socket: CONNECT for https, the absolute form for http, with or without a password.

It passes each read on as it came, so that what a test measures through it is the client's doing.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.support.served import TIMEOUT_S


@dataclass
class ForwardProxy:
    """`places`: where a host really is, by host and port as asked for. `asked`: the first line of every request, in order."""

    port: int = 0
    password: str | None = None
    places: Mapping[str, int] = field(default_factory=dict)
    """The loopback port on which a made-up host:port is to be found."""
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address, with user and password if it wants them."""
        return f"http://{'' if self.password is None else f'user:{self.password}@'}127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: its first request decides where the rest of it goes."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")[:-2]
        self.asked.append(first)
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        method, target, version = first.split(" ")
        wanted = None if self.password is None else f"Basic {base64.b64encode(f'user:{self.password}'.encode()).decode()}"
        if wanted is not None and fields.get("proxy-authorization") != wanted:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")
            return
        url = urlsplit(f"//{target}" if method == "CONNECT" else target)
        port = self.places.get(url.netloc, url.port or 80)
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            kept = [line for line in lines if not line.lower().startswith("proxy-")]
            up_writer.write("\r\n".join([f"{method} {url.path or '/'} {version}", *kept, "", ""]).encode("latin-1"))
        await both_ways(reader, writer, up_reader, up_writer)


@contextlib.asynccontextmanager
async def forward_proxy(*, password: str | None = None, places: Mapping[str, int] | None = None) -> AsyncIterator[ForwardProxy]:
    """A proxy that runs in the test's event loop."""
    proxy = ForwardProxy(password=password, places=places or {})
    async with accepting(proxy.serve) as proxy.port:
        yield proxy


@contextlib.asynccontextmanager
async def accepting(serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], **options: Any) -> AsyncIterator[int]:
    """The port of a server that runs `serve` for each connection and then closes it; its end cuts what is still running."""
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the other side has left, or the test has ended
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, **options)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        running = list(tasks)
        for task in running:
            task.cancel()
        async with asyncio.timeout(TIMEOUT_S):
            await asyncio.gather(*running, return_exceptions=True)
            await server.wait_closed()


async def both_ways(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, up_reader: asyncio.StreamReader, up_writer: asyncio.StreamWriter
) -> None:
    """Until either side ends. Then both are cut, with what was still to be said from the one that ended."""

    async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                target.write(data)
                await target.drain()

    ways = [asyncio.create_task(pass_on(reader, up_writer)), asyncio.create_task(pass_on(up_reader, writer))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        up_writer.close()
