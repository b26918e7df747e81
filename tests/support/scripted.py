"""A raw server on a real socket, in the test's own event loop. It does exactly what a test's script says, byte for byte."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from tests.support.served import TIMEOUT_S, until

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """The data as one HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def answer(body: bytes, *headers: bytes) -> bytes:
    """A whole response with a Content-Length."""
    return b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers, b"", body])


class Peer:
    """The server's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def request(self) -> bytes:
        """The next request, head and body. Raises IncompleteReadError if there is none."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        _, announced, rest = head.partition(b"Content-Length: ")
        return head + (await self._reader.readexactly(int(rest.split(b"\r\n")[0])) if announced else b"")

    async def send(self, data: bytes) -> None:
        """Writes the bytes unchanged."""
        self._writer.write(data)
        await self._writer.drain()

    def cut(self) -> None:
        """Closes the socket now."""
        self._writer.transport.abort()

    async def end(self) -> None:
        """Closes the connection after everything has been sent."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def gone(self, within: float = 1.0) -> None:
        """Returns once the client has closed the connection. Raises TimeoutError if it does not in time."""
        async with asyncio.timeout(within):
            with contextlib.suppress(ConnectionError):
                while await self._reader.read(65536):
                    pass


Script = Callable[[Peer], Awaitable[None]]


@dataclass
class Upstream:
    """A running server."""

    url: str
    peers: list[Peer] = field(default_factory=list)
    """Every connection so far, in order."""

    async def peer(self, number: int = 0) -> Peer:
        """The connection with this number, once it exists."""
        await until(lambda: len(self.peers) > number)
        return self.peers[number]


@contextlib.asynccontextmanager
async def upstream(script: Script | None = None, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Upstream]:
    """A server that runs the script for each connection and then closes it. Without a script, the test serves the connections itself.

    An exception from a script, except for the end of the connection, is raised when the context ends.
    """
    tasks: list[asyncio.Task[None]] = []
    errors: list[Exception] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        running.peers.append(peer)
        if script is None:
            return
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        try:
            await script(peer)
            await peer.end()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            pass  # otherwise asyncio's streams would report it as an error in the callback
        except Exception as error:
            errors.append(error)
        finally:
            peer.cut()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    running = Upstream(f"{'http' if tls is None else 'https'}://127.0.0.1:{port}")
    try:
        yield running
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        for peer in running.peers:
            peer.cut()
        async with asyncio.timeout(TIMEOUT_S):
            await asyncio.gather(*tasks, return_exceptions=True)
            await server.wait_closed()
    if errors:
        raise errors[0]
