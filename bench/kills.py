"""Kills servers under load, again and again, and counts what was lost: `python -m bench.kills`.

Readers ask for one answer after another, and resume where a kill has cut them off. In turn the gateway, the middle tier and both, a third
of a second apart, are killed with SIGKILL and started again. At the end no stored text may be shorter than what its reader had, no turn may
be without an end, and each call must have been settled once.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import json
import random
import re
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from bench.chain import Chain

_SCRIPT = "300 10 20"
"""Three seconds of an answer."""
_PATIENCE_S = 90.0
_BETWEEN_S = 0.3


@dataclass
class Seen:
    """One turn as its reader had it."""

    cookie: str
    chunks: dict[int, str] = field(default_factory=dict)
    ended: bool = False

    @property
    def text(self) -> str:
        return "".join(self.chunks.values())

    def take(self, number: int | None, line: str) -> None:
        """Takes a line of the stream. `number` is the frame's id; the terminal frame has none."""
        data = line.removeprefix("data: ")
        if data == "[DONE]":
            self.ended = True
        elif number is not None and (choices := json.loads(data).get("choices")):
            self.chunks.setdefault(number, choices[0]["delta"].get("content") or "")


class Readers:
    """So many readers at once, until `stop`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._going_on = True
        self.turns: dict[str, Seen] = {}
        self.resumed = 0

    def stop(self) -> None:
        """Lets the answers that run come to their end, and begins no other."""
        self._going_on = False

    async def read(self) -> None:
        """One reader."""
        async with httpx2.AsyncClient(base_url=self._url, timeout=httpx2.Timeout(30, read=60), trust_env=False) as http:
            while self._going_on:
                http.cookies.clear()
                turn = await self._ask(http)
                while turn is not None and not turn[1].ended:
                    await asyncio.sleep(0.2)
                    await self._resume(http, *turn)

    async def _ask(self, http: httpx2.AsyncClient) -> tuple[str, Seen] | None:
        turn: tuple[str, Seen] | None = None
        try:
            async with http.stream("POST", "/api/chat/stream", json={"message": _SCRIPT, "model_group": "text"}) as response:
                if response.status_code == 200:
                    turn = response.headers["x-turn-id"], Seen(response.cookies["session"])
                    self.turns[turn[0]] = turn[1]
                    await self._take(response, turn[1])
        except httpx2.HTTPError:
            await asyncio.sleep(0.2)
        return turn

    async def _resume(self, http: httpx2.AsyncClient, turn_id: str, seen: Seen) -> None:
        headers = {"Cookie": f"session={seen.cookie}"} | ({"Last-Event-ID": str(max(seen.chunks))} if seen.chunks else {})
        self.resumed += 1
        try:
            async with http.stream("GET", f"/chat/turns/{turn_id}/events", headers=headers) as response:
                if response.status_code == 200:
                    await self._take(response, seen)
                elif response.status_code == 410:  # it has ended, and its stream is gone
                    seen.ended = True
        except httpx2.HTTPError:
            pass

    @staticmethod
    async def _take(response: httpx2.Response, seen: Seen) -> None:
        number: int | None = None
        async for line in response.aiter_lines():
            if line.startswith("id: "):
                number = int(line[4:])
            elif line.startswith("event: failed"):
                seen.ended = True
            elif line.startswith("data: "):
                seen.take(number, line)
            elif not line:
                number = None


async def kill(chain: Chain, number: int, dice: random.Random) -> None:
    """Kills one or both, and starts them again."""
    victims = ([chain.gateway], [chain.middle], [chain.gateway, chain.middle], [chain.middle, chain.gateway])[number % 4]
    for place, victim in enumerate(victims):
        if place:
            await asyncio.sleep(_BETWEEN_S)
        await asyncio.to_thread(victim.kill)
    dice.shuffle(victims)
    for victim in victims:
        await asyncio.to_thread(victim.__enter__)


async def stored_text(http: httpx2.AsyncClient, turn_id: str, seen: Seen) -> str:
    """The answer as the page shows it after a reload."""
    page = (await http.get(f"/chat/turns/{turn_id}", headers={"Cookie": f"session={seen.cookie}"})).text
    found = re.search(r'<template data-role="source">(.*?)</template>', page, re.DOTALL)
    return html.unescape(found[1]) if found else ""


async def run(chain: Chain, kills: int, streams: int, seed: int) -> bool:
    """Returns whether nothing was lost."""
    dice = random.Random(seed)  # noqa: S311  # a run can be repeated
    readers = Readers(f"http://127.0.0.1:{chain.port}")
    async with asyncio.timeout(kills * 20 + _PATIENCE_S), asyncio.TaskGroup() as tasks:
        for _ in range(streams):
            tasks.create_task(readers.read())
        for number in range(kills):
            await asyncio.sleep(dice.uniform(0.3, 2.0))
            await kill(chain, number, dice)
        await asyncio.sleep(2)
        readers.stop()
    await asyncio.sleep(3)  # the last endings are saved
    shorter = []
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{chain.port}", timeout=30, trust_env=False) as http:
        for turn_id, seen in readers.turns.items():
            stored = await stored_text(http, turn_id, seen)
            if not stored.startswith(seen.text):
                shorter.append(f"{turn_id}: {len(seen.text)} characters seen, {len(stored)} stored")
    states = Counter(state for (state,) in chain.rows("client_server.db", "SELECT state FROM turns"))
    statuses = Counter(status for (status,) in chain.rows("saas_api.db", "SELECT status FROM calls"))
    twice = chain.rows("saas_api.db", "SELECT job_id FROM calls GROUP BY job_id HAVING count(*) > 1")
    unended = chain.rows("client_server.db", "SELECT id FROM turns WHERE state = 'streaming'")
    unsettled = chain.rows("saas_api.db", "SELECT call_id FROM calls WHERE finished_at IS NULL")
    print(f"{kills} kills under {streams} readers: {len(readers.turns)} turns, {readers.resumed} times resumed")
    print(f"turns: {dict(states)}; calls: {dict(statuses)}")
    print(f"stored text shorter than what its reader had: {len(shorter)}", *shorter[:10], sep="\n  ")
    print(f"turns without an end: {len(unended)}; calls without a receipt: {len(unsettled)}; jobs that were called twice: {len(twice)}")
    return not (shorter or unended or unsettled or twice)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.kills", description="Kills servers under load and counts what was lost.")
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--streams", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="streaming-chat-kills-") as folder, ExitStack() as stack:
        held = asyncio.run(run(Chain(Path(folder), stack), given.kills, given.streams, given.seed))
    sys.exit(not held)


if __name__ == "__main__":
    main()
