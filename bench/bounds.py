"""What a server holds when a bound is reached: memory of gateway and middle tier, and how long a usual user waits meanwhile.

    python -m bench.bounds

Each line fills one bound in a fresh chain (`docs/bounds.md`): connections that say nothing, bodies that do not end, readers that do not
read, ended answers that are kept, running answers.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from pathlib import Path
from typing import cast

import uvloop

from bench.chain import Chain
from bench.chat import question
from bench.processes import resident_kib

MIB = 1024 * 1024
_SETTLED_S = 12.0
Fill = Callable[[Chain], AbstractAsyncContextManager[None]]


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, limit=4096)


@asynccontextmanager
async def opened(port: int, number: int, first: bytes, *, reads: bool = False) -> AsyncIterator[None]:
    """So many connections that begin like this, fifty at a time. Unless `reads`, nothing is read from them."""
    connections: list[asyncio.StreamWriter] = []
    reading: list[asyncio.Task[None]] = []
    try:
        for _ in range(0, number, 50):
            some = await asyncio.gather(*(connect(port) for _ in range(50)))
            for reader, writer in some:
                connections.append(writer)
                writer.write(first)
                if reads:
                    reading.append(asyncio.create_task(_drop(reader)))
                else:
                    cast(asyncio.Transport, writer.transport).pause_reading()
            await asyncio.sleep(0.05)
        yield
    finally:
        for task in reading:
            task.cancel()
        for writer in connections:
            writer.transport.abort()


async def _drop(reader: asyncio.StreamReader) -> None:
    while await reader.read(65536):
        pass


async def first_token_ms(port: int) -> float:
    """How long a usual user waits for the first chunk of an answer; the model takes 5 ms of it."""
    began = time.perf_counter()
    reader, writer = await connect(port)
    try:
        writer.write(question(port, "5 5 5"))
        async with asyncio.timeout(10):
            while b"data: {" not in (read := await reader.read(65536)):
                if b"HTTP/1.1 200" not in read:
                    raise RuntimeError(f"a usual user was not answered: {read[:500]!r}")
        return (time.perf_counter() - began) * 1e3
    finally:
        writer.transport.abort()


@asynccontextmanager
async def kept(chain: Chain) -> AsyncIterator[None]:
    """Answers of 2 MiB, one after the other, by users who never come back."""
    for _ in range(320):
        reader, writer = await connect(chain.port)
        writer.write(question(chain.port, "1 0 0", "big-frame"))
        tail = b""
        while b"[DONE]" not in tail and b"failed" not in tail:
            more = await reader.read(MIB)
            if not more:
                break
            tail = (tail + more)[-200:]
        writer.transport.abort()
    yield


FILLS: dict[str, Fill] = {
    "nothing": lambda chain: opened(chain.port, 0, b""),
    "5,000 connections that say nothing": lambda chain: opened(chain.port, 5000, b""),
    "5,000 connections that stop in the head": lambda chain: opened(
        chain.port, 5000, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"h" * 8000
    ),
    "500 bodies that stop before 1 MiB": lambda chain: opened(chain.port, 500, question(chain.port, "m" * 1_000_000, length=MIB)),
    "500 readers that do not read": lambda chain: opened(chain.port, 500, question(chain.port, "1000 2 0")),
    "640 MiB of answers that have ended": kept,
    "1,000 streams": lambda chain: opened(chain.port, 1000, question(chain.port, "500 100 5"), reads=True),
}


async def fill(chain: Chain, way: Fill) -> str:
    """The line of the table that belongs to this way."""
    servers = (chain.gateway, chain.middle)
    await first_token_ms(chain.port)
    async with way(chain):
        await asyncio.sleep(_SETTLED_S)
        held = [resident_kib(server.pids[:1]) / 1024 for server in servers]
        waits = sorted([await first_token_ms(chain.port) for _ in range(9)])
    return f"{held[0]:6.0f} | {held[1]:6.0f} | {waits[4]:6.1f} | {waits[-1]:6.1f}"


def main() -> None:
    argparse.ArgumentParser(prog="python -m bench.bounds", description="Shows what a server holds when a bound is reached.").parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65_536), most))
    print("| filled with | gateway, MiB | middle tier, MiB | first token, ms | longest of 9 |\n|---|--:|--:|--:|--:|", flush=True)
    for name, way in FILLS.items():
        with tempfile.TemporaryDirectory(prefix="streaming-chat-bounds-") as folder, ExitStack() as stack:
            chain = Chain(Path(folder), stack, ("text", "big-frame"))
            print(f"| {name} | {uvloop.run(fill(chain, way))} |", flush=True)


if __name__ == "__main__":
    main()
