"""How long Markdown takes that is hard to render, and whether anybody else's chunks wait for it.

    python -m bench.rendering

For each construct of `bench.hostile_markdown`, an answer of 50,000, 100,000 and 200,000 characters is rendered by a running chain, beside a
stream with a chunk every 10 ms. The table has the slowest constructs, and the longest gap in that stream meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from bench.chain import Chain
from bench.chat import question
from bench.hostile_markdown import CONSTRUCTS

LENGTHS = (50_000, 100_000, 200_000)
GAP_MS = 10


@dataclass
class Row:
    """One construct: for each length the time in milliseconds, and the longest gap of the stream beside it."""

    name: str
    took: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    plain: int = 0
    """How many of the texts were shown as they are, because rendering them takes too much work."""


class Beside:
    """A stream that goes on for ever, and its longest gap since the last look."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._longest = 0.0

    def look(self) -> float:
        longest, self._longest = self._longest, 0.0
        return longest * 1e3

    async def read_on(self) -> None:
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(question(self._port, f"2000 {GAP_MS} 0", close=True))
            last, begun = time.perf_counter(), False
            while b"[DONE]" not in (read := await reader.read(65536)) and read:
                now = time.perf_counter()
                if begun:
                    self._longest = max(self._longest, now - last)
                last, begun = now, begun or b"data: {" in read
            writer.close()


async def _ask(port: int, message: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(message)
    answer = await reader.read(-1)
    writer.close()
    return answer


async def render(port: int, name: str, length: int) -> tuple[float, bool]:
    """Milliseconds until the answer's page is there, and whether the text is shown as it is."""
    answer = await _ask(port, question(port, f"{length} {name}", "markdown", close=True))
    turn, cookie = re.search(rb"x-turn-id: (\S+)", answer), re.search(rb"set-cookie: (session=[^;]+)", answer)
    if b"[DONE]" not in answer or turn is None or cookie is None:
        raise RuntimeError(f"{name!r} was not answered: {answer[:300]!r}")
    began = time.perf_counter()
    page = await _ask(
        port,
        b"GET /chat/turns/%b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nHX-Request: true\r\nConnection: close\r\nCookie: %b\r\n\r\n"
        % (turn[1], port, cookie[1]),
    )
    if not page.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"{name!r} was not rendered: {page[:300]!r}")
    return (time.perf_counter() - began) * 1e3, b"<p>" not in page and b"<pre" in page


async def measure(chain: Chain) -> list[Row]:
    """All rows."""
    beside = Beside(chain.port)
    reading = asyncio.create_task(beside.read_on())
    rows = []
    for name in CONSTRUCTS:
        row = Row(name)
        for length in LENGTHS:
            beside.look()
            took, plain = await render(chain.port, name, length)
            row.took.append(took)
            row.gaps.append(beside.look())
            row.plain += plain
        rows.append(row)
    reading.cancel()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.rendering", description="How long Markdown takes that is hard to render.")
    parser.add_argument("--most", type=int, default=25, help="how many rows to show")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="streaming-chat-rendering-") as folder, ExitStack() as stack:
        rows = uvloop.run(measure(Chain(Path(folder), stack, ("text", "markdown"))))
    print(f"{len(rows)} constructs; milliseconds by the number of characters, and the longest gap of the stream beside them")
    print(
        "| construct | "
        + " | ".join(f"{length:,}" for length in LENGTHS)
        + " | longest gap | shown as they are |\n|---|---|---|---|---|---|"
    )
    for row in sorted(rows, key=lambda row: -max(row.took))[: given.most]:
        print(
            f"| `{row.name}` | "
            + " | ".join(f"{took:.0f}" for took in row.took)
            + f" | {max(row.gaps):.0f} | {row.plain} of {len(LENGTHS)} |"
        )
    print(f"slowest of all: {max(max(row.took) for row in rows):.0f} ms; longest gap of all: {max(max(row.gaps) for row in rows):.0f} ms")


if __name__ == "__main__":
    main()
