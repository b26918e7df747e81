"""More connections than a server may have open files: each is answered or refused, none hangs, and the server recovers by itself."""

from __future__ import annotations

import asyncio
import resource
import time
from collections import Counter
from collections.abc import Callable

from bench.script import expected_text
from tests.support.chain import Chain
from tests.support.streams import content_of, open_stream

FILES = 128
CONNECTIONS = 300
CHUNKS = 40
BODY = {"message": f"{CHUNKS} 50 0", "model_group": "text"}


async def ask(chain: Chain) -> str:
    """How a question ended: whole, turned away with a status, failed in the stream, or not let in."""
    try:
        async with open_stream(f"{chain.url}/api/chat/stream", body=BODY) as stream:
            await stream.read_all()
    except (OSError, EOFError):
        return "not let in"
    if stream.status != 200:
        return f"status {stream.status}"
    if not stream.frames or not stream.frames[-1].is_terminal:
        return "cut"
    last = stream.frames[-1]
    if last.event == "failed":
        return str(last.json()["error"]["code"])
    return "whole" if content_of(stream.frames) == expected_text(CHUNKS) else "wrong"


async def test_more_connections_than_open_files(make_chain: Callable[..., Chain]) -> None:
    """Those who are in have their whole answer. When the crowd has left, everybody is served again."""
    chain = await asyncio.to_thread(make_chain)
    for server in (chain.saas_api, chain.client_server):
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
    early = [asyncio.create_task(ask(chain)) for _ in range(10)]
    await asyncio.sleep(1.0)
    async with asyncio.timeout(60):
        outcomes = Counter(await asyncio.gather(*(ask(chain) for _ in range(CONNECTIONS))))
        assert await asyncio.gather(*early) == ["whole"] * 10
    assert outcomes["whole"] >= 10, outcomes
    assert set(outcomes) <= {"whole", "not let in", "status 503", "upstream_unavailable"}, outcomes
    assert sum(outcomes.values()) == CONNECTIONS
    began = time.monotonic()
    while (again := Counter(await asyncio.gather(*(ask(chain) for _ in range(20))))) != {"whole": 20}:
        assert time.monotonic() - began < 20, again
    assert chain.saas_api.running
    assert chain.client_server.running
