"""A database in trouble while answers are streaming: readers get the whole answer, and it is stored once the trouble has passed."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bench.script import expected_text
from tests.client_server.visitor import Visitor
from tests.client_server.visitor import content_of as shown_in
from tests.support import outages
from tests.support.chain import Chain
from tests.support.databases import ON_POSTGRESQL, url_for
from tests.support.streams import Frame, content_of

CHUNKS = 60
SCRIPT = f"{CHUNKS} 50 20"  # chunks, milliseconds between them, and before the first
READERS = 6
SERVERS = ("saas_api", "client_server")

Trouble = Callable[[], Any]


@asynccontextmanager
async def chain_with(trouble: str, make_chain: Callable[..., Chain], tmp_path: Path) -> AsyncIterator[tuple[Chain, Trouble]]:
    """A chain, and what brings both of its databases into this trouble for as long as the context lasts."""
    async with AsyncExitStack() as stack:
        env: dict[str, str] = {}
        lines: list[outages.Line] = []
        if trouble == "away":
            for server in SERVERS:
                url = url_for(tmp_path / f"{server}.db")
                line = await stack.enter_async_context(outages.line_to(url))
                lines.append(line)
                env[f"{server.upper()}_DATABASE_URL"] = line.leads_to(url)
        chain = await asyncio.to_thread(make_chain, env=env)

        @asynccontextmanager
        async def begin() -> AsyncIterator[None]:
            async with AsyncExitStack() as inner:
                for line in lines:
                    await inner.enter_async_context(line.cut())
                if trouble == "full":
                    inner.enter_context(outages.no_room([chain.saas_api.pid, chain.client_server.pid]))
                if trouble == "locked":
                    for server in SERVERS:
                        inner.enter_context(outages.locked(chain.data_dir / f"{server}.db"))
                yield

        yield chain, begin
        await asyncio.to_thread(chain.stop)


async def read(guest: Visitor, turn: str, begun: asyncio.Barrier) -> list[Frame]:
    """One reader's whole stream."""
    async with guest.events(turn) as stream:
        await stream.read_frames(5)
        await begun.wait()
        await stream.read_all()
        frames: list[Frame] = stream.frames
        return frames


def longest_gap(frames: list[Frame]) -> float:
    chunks = [frame.at for frame in frames if frame.is_chunk]
    return max(after - before for before, after in pairwise(chunks)) / 1e9


@pytest.mark.parametrize(("trouble", "seconds"), [("away", 5.0)] if ON_POSTGRESQL else [("full", 5.0), ("locked", 11.0)])
async def test_trouble_in_mid_stream(trouble: str, seconds: float, make_chain: Callable[..., Chain], tmp_path: Path) -> None:
    """No chunk waits for a database, and the end comes once it is stored. A new question is 503 meanwhile, and answered afterwards."""
    async with chain_with(trouble, make_chain, tmp_path) as (chain, begin), AsyncExitStack() as stack:
        guests = [await stack.enter_async_context(Visitor.at(chain.url)) for _ in range(READERS)]
        turns = [await guest.say(SCRIPT) for guest in guests]
        begun = asyncio.Barrier(READERS + 1)
        reading = [asyncio.create_task(read(guest, turn, begun)) for guest, turn in zip(guests, turns, strict=True)]
        await begun.wait()
        async with begin():
            started = time.monotonic()
            refused = await asyncio.to_thread(ask, chain)
            await asyncio.sleep(seconds - (time.monotonic() - started))
        for guest, turn, frames in zip(guests, turns, await asyncio.gather(*reading), strict=True):
            assert content_of(frames) == expected_text(CHUNKS)
            assert longest_gap(frames) < 1.0
            assert frames[-1].data == "[DONE]"
            await check_stored(chain, guest, turn, frames)
        assert refused == (503, "upstream_unavailable")
        assert await asyncio.to_thread(ask, chain) == (200, None)
    for server in SERVERS if not ON_POSTGRESQL else ():
        with closing(sqlite3.connect(chain.data_dir / f"{server}.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def ask(chain: Chain) -> tuple[int, str | None]:
    """The status of a new question, and its error's code."""
    status, answer = chain.client_server.request("POST", "/api/chat", {"message": "3 0 0", "model_group": "text"})
    return status, answer["error"]["code"] if status != 200 else None


async def check_stored(chain: Chain, guest: Visitor, turn: str, frames: list[Frame]) -> None:
    """Both tiers have the answer, whole, and the gateway has charged for it once."""
    receipt = next(frame.json() for frame in frames if frame.event == "receipt")
    assert receipt["status"] == "finished"
    status, job = await asyncio.to_thread(chain.saas_api.request, "GET", f"/api/jobs/{receipt['job_id']}", None, chain.key_header())
    assert (status, job["status"]) == (200, "completed")
    assert [(call["call_id"], call["status"]) for call in job["calls"]] == [(receipt["call_id"], "finished")]
    await guest.until(turn, "finished")
    assert shown_in((await guest.http.get(f"/chat/turns/{turn}")).text) == expected_text(CHUNKS)
