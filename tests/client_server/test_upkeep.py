"""The number of sessions is bounded: those that nobody comes back to go, and nobody else loses anything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from client_server.sessions import Session
from client_server.store import Store, open_store
from client_server.store.store import MIGRATIONS
from client_server.upkeep import PORTION, Upkeep
from tests.client_server.test_store import END, ROW
from tests.client_server.visitor import Visitor, content_of
from tests.support.chain import Chain
from wire.errors import WireError

DAY, YEAR = 86400.0, 365 * 86400.0


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """An open store."""
    async with open_store(database_url) as store:
        yield store


async def ask(store: Store, session: str, number: int = 0, *, age: float = 0, fresh: bool = False, ends: bool = True) -> None:
    """One message of a session, so many seconds ago. A session that is not fresh has a conversation."""
    row = replace(ROW, id=f"{session}-{number}", session_id=session, position=number, created_at=time.time() - age)
    if fresh:
        await store.add_turn(row, fresh_session=True)
    else:
        await store.add_turn(replace(row, conversation_id=f"{session}-c{number}"), title="Title")
    if ends:
        await store.end_turn(row.id, **END)


def upkeep(store: Store, most: int = 1000) -> Upkeep:
    return Upkeep(store, most=most, unused_s=DAY, retention_s=YEAR)


async def left(store: Store, *sessions: str) -> list[str]:
    """Those sessions that still have their turn."""
    return [name for name in sessions if await store.turn(f"{name}-0", name) is not None]


async def test_what_nobody_comes_back_to_is_removed(store: Store) -> None:
    """A cookie that never came back is kept for a day, one that did for a year after its last message. A running answer stays."""
    await ask(store, "passing", age=2 * DAY, fresh=True)
    await ask(store, "just now", age=DAY / 2, fresh=True)
    await ask(store, "writing", age=2 * DAY, fresh=True, ends=False)
    await ask(store, "page", age=300 * DAY)
    await ask(store, "gone for long", age=400 * DAY)
    await ask(store, "returned", age=2 * DAY, fresh=True)
    await ask(store, "returned", 1, age=DAY)
    await ask(store, "still here", age=500 * DAY)
    await ask(store, "still here", 1, age=DAY)
    names = ["passing", "just now", "writing", "page", "gone for long", "returned", "still here"]
    await upkeep(store).remove()
    assert await left(store, *names) == ["just now", "writing", "page", "returned", "still here"]
    assert await store.count_sessions() == 5
    assert await store.conversations("gone for long") == []
    assert len(await store.conversations("page")) == 1


async def test_too_many_go_oldest_first(store: Store) -> None:
    """Beyond the bound, sessions whose cookie has not come back go, whatever their age, in more than one portion. Others stay."""
    crowd = [f"crowd {number}" for number in range(2 * PORTION + 30)]
    for number, name in enumerate(crowd):
        await ask(store, name, age=1000 - number, fresh=True)
    await ask(store, "page", age=30 * DAY)
    await ask(store, "writing", age=2000, fresh=True, ends=False)
    await upkeep(store, most=40).remove()
    assert PORTION > 40 - await store.count_sessions() >= 0  # portions are whole
    assert await left(store, "page", "writing", crowd[0], crowd[99]) == ["page", "writing"]


async def test_a_full_house_refuses_new_sessions_alone(store: Store) -> None:
    """If none of the sessions may go, a new one is refused with 429; who has a session goes on. Room opens by itself."""
    for number in range(10):
        await ask(store, f"page {number}", age=number)
    async with upkeep(store, most=10) as kept:
        await asyncio.sleep(0.2)
        kept.admit(Session("eleventh", fresh=True))
        with pytest.raises(WireError, match="too many sessions") as refusal:
            kept.admit(Session("twelfth", fresh=True))
        assert (refusal.value.status, refusal.value.code.retryable) == (429, True)
        kept.admit(Session("page 3", fresh=False))
        await store.remove_sessions(returned=True, before=time.time() + 1, limit=5)
        async with asyncio.timeout(10):
            while True:
                try:
                    kept.admit(Session("another", fresh=True))
                    break
                except WireError:
                    await asyncio.sleep(0.05)


async def test_a_removed_sessions_cookie_still_works(store: Store) -> None:
    """Its next message begins it anew."""
    await ask(store, "s", age=2 * DAY, fresh=True)
    await upkeep(store).remove()
    assert await store.count_sessions() == 0
    await ask(store, "s", 7)
    assert await store.count_sessions() == 1
    assert await store.turn("s-7", "s") is not None


async def test_sessions_from_before_count_as_used(tmp_path: Path) -> None:
    """After an upgrade, every session of the old turns is there, with the time of its last message, and as one that came back."""
    path = tmp_path / "old.db"
    scripts = ScriptDirectory(str(MIGRATIONS))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        for version in ("0001", "0002"):
            scripts.get_revision(version).module.upgrade()
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('0002')")
        for id, session, at in (("a-0", "a", 1.0), ("a-1", "a", time.time()), ("b-0", "b", 5.0)):
            connection.exec_driver_sql(
                "INSERT INTO turns (id, session_id, position, replaced, state, streaming, model_group, user_message, content, created_at)"
                " VALUES (?, ?, 0, 0, 'finished', 1, 'g', 'm', 't', ?)",
                (id, session, at),
            )
    engine.dispose()
    async with open_store(f"sqlite:///{path}") as store:
        assert await store.count_sessions() == 2
        assert await store.remove_sessions(returned=False, before=time.time() + 1, limit=10) == 0
        await upkeep(store).remove()
        assert await left(store, "a", "b") == ["a"]


async def test_a_flood_without_cookies_costs_a_visitor_nothing(make_chain: Callable[..., Chain]) -> None:
    """Hundreds of requests without a cookie leave a bounded number of sessions, and a person's conversation and next answer are there."""
    chain = make_chain(env={"SESSIONS_MAX": "60"})
    async with Visitor.at(chain.url) as guest, httpx.AsyncClient(base_url=chain.url, timeout=30) as http:
        first = await guest.say("3 1 1")
        await guest.until(first, "finished")
        places = asyncio.Semaphore(20)
        statuses: list[int] = []

        async def flood() -> None:
            async with places:
                statuses.append((await http.post("/api/chat", json={"message": "1 1 1", "model_group": "text"})).status_code)
                http.cookies.clear()

        flooding = [asyncio.create_task(flood()) for _ in range(400)]
        second = await guest.say("3 1 1")
        await guest.until(second, "finished")
        await asyncio.gather(*flooding)
        assert set(statuses) <= {200, 429}
        async with asyncio.timeout(30), open_store(chain.client_server.database_url) as store:
            while await store.count_sessions() > 60:  # noqa: ASYNC110  # another process's rows
                await asyncio.sleep(0.2)
        for turn_id in (first, second):
            assert content_of((await guest.http.get(f"/chat/turns/{turn_id}")).text)
