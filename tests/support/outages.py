"""Troubles of a database, brought about from outside while a server runs: each is a context manager that ends the trouble."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from sqlalchemy import make_url

from tests.support.forward_proxy import both_ways


@contextlib.contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another process holds SQLite's write lock."""
    began, release = threading.Event(), threading.Event()

    def hold() -> None:
        with contextlib.closing(sqlite3.connect(database, timeout=30, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            began.set()
            release.wait()
            connection.execute("ROLLBACK")

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert began.wait(30)
        yield
    finally:
        release.set()
        thread.join()


@contextlib.contextmanager
def no_room(pids: Sequence[int]) -> Iterator[None]:
    """These processes cannot make any file longer, as on a full disk."""
    before = [resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids]
    for pid, (_, most) in zip(pids, before, strict=True):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, most))
    try:
        yield
    finally:
        for pid, limits in zip(pids, before, strict=True):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


class Line:
    """A way to a server that can be cut: meanwhile nobody answers at its port."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            await both_ways(reader, writer, *await asyncio.open_connection("127.0.0.1", self._target))
        finally:
            self._open.discard(writer)
            writer.close()

    async def start(self) -> None:
        """Accepts connections, at the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cuts every connection."""
        if self._server is not None:
            self._server.close()
        while self._open:
            for writer in list(self._open):
                writer.transport.abort()
            await asyncio.sleep(0.01)

    @contextlib.asynccontextmanager
    async def cut(self) -> AsyncIterator[None]:
        await self.stop()
        try:
            yield
        finally:
            await self.start()

    def leads_to(self, url: str) -> str:
        """The URL of the same database by this line."""
        return make_url(url).set(host="127.0.0.1", port=self.port).render_as_string(hide_password=False)


@contextlib.asynccontextmanager
async def line_to(url: str) -> AsyncIterator[Line]:
    """A line to the server of this URL."""
    line = Line(make_url(url).port or 0)
    await line.start()
    try:
        yield line
    finally:
        await line.stop()
