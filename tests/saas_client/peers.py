"""A server on a real socket that a test writes itself, and a client of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from saas_client import SaaSLLMClient
from tests.support.ports import free_port

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


@asynccontextmanager
async def peer(serve: Serve) -> AsyncIterator[SaaSLLMClient]:
    """A client of a server that runs this on every connection, once it has read a request's head."""

    serving: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        with suppress(ConnectionError):  # the client may leave as it likes
            try:
                await reader.readuntil(b"\r\n\r\n")
                await serve(reader, writer)
            finally:
                writer.close()
                await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", free_port())
    port = server.sockets[0].getsockname()[1]
    try:
        async with SaaSLLMClient(f"http://127.0.0.1:{port}", "sk-x", "team") as client:
            yield client
    finally:
        server.close()
        await asyncio.gather(*serving)
