"""An ASGI app behind a real uvicorn on a free port, and a client that sees each write of the server as it arrives.

The server and the test share one event loop, so that a test can append to a log and inspect it. Between them is a real socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Any, Literal, Self

import uvicorn

TIMEOUT_S = 5.0
"""How long a test waits for any expected event before it fails."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves Ctrl-C to pytest."""
        yield


@contextlib.asynccontextmanager
async def serving(
    app: Any, *, lifespan: str = "off", http: type[asyncio.Protocol] | Literal["httptools"] = "httptools"
) -> AsyncIterator[int]:
    """The port of a server with this app, configured as in production: httptools on uvloop. Its end cuts off running requests."""
    config = uvicorn.Config(
        app, http=http, ws="none", lifespan="on" if lifespan == "on" else "off", log_config=None, timeout_graceful_shutdown=0
    )
    server = _Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        task = asyncio.create_task(server.serve([listener]))
        try:
            await until(lambda: server.started or task.done())
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await task


async def until(holds: Callable[[], bool], *, within: float = TIMEOUT_S) -> None:
    """Returns once the condition holds. Raises TimeoutError if it does not in time."""
    async with asyncio.timeout(within):
        while not holds():  # noqa: ASYNC110  # the condition is another object's state, which has no event to wait for
            await asyncio.sleep(0.002)


class Connection:
    """One HTTP/1.1 connection, as a context manager. `receive_buffer` limits what the kernel accepts while the client does not read."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        self._port = port
        self._receive_buffer = receive_buffer
        self.socket: socket.socket
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        self.socket = socket.socket()
        if self._receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        self.socket.setblocking(False)
        await asyncio.get_running_loop().sock_connect(self.socket, ("127.0.0.1", self._port))
        self.reader, self.writer = await asyncio.open_connection(sock=self.socket, limit=2**16)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.leave()

    async def leave(self) -> None:
        """Closes the connection at once, even with unread or unwritten bytes."""
        self.writer.transport.abort()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    async def send(self, data: bytes) -> None:
        """Writes the bytes unchanged."""
        self.writer.write(data)
        async with asyncio.timeout(TIMEOUT_S):
            await self.writer.drain()

    async def request(self, method: str = "GET", path: str = "/", *headers: str, body: bytes = b"") -> None:
        """Sends a request, with a Content-Length if it has a body."""
        lines = [f"{method} {path} HTTP/1.1", "Host: test", *headers, *([f"Content-Length: {len(body)}"] if body else []), "", ""]
        await self.send("\r\n".join(lines).encode("latin-1") + body)

    async def head(self) -> tuple[int, dict[str, str]]:
        """The status and the headers of the response, with lower-case names."""
        async with asyncio.timeout(TIMEOUT_S):
            first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
        return int(first.split(" ")[1]), {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}

    async def chunk(self) -> bytes:
        """The next chunk of a chunked body, which one `send` of the app wrote. It is empty at the body's end.

        Raises IncompleteReadError if the body was cut.
        """
        async with asyncio.timeout(TIMEOUT_S):
            size = int((await self.reader.readuntil(b"\r\n"))[:-2], 16)
            return (await self.reader.readexactly(size + 2))[:-2]

    async def chunks(self) -> list[bytes]:
        """All chunks up to the body's end."""
        found = []
        while chunk := await self.chunk():
            found.append(chunk)
        return found

    async def response(self) -> tuple[int, dict[str, str], bytes]:
        """The status, headers and whole body of a response with a Content-Length."""
        status, headers = await self.head()
        async with asyncio.timeout(TIMEOUT_S):
            return status, headers, await self.reader.readexactly(int(headers["content-length"]))
