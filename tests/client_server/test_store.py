"""The middle tier's records, and what several writers at once cannot break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from client_server.store import ConversationBusy, RunningTurn, Store, open_store

ROW = RunningTurn(
    id="turn_1",
    session_id="s",
    conversation_id=None,
    position=0,
    replaced=False,
    state="streaming",
    streaming=True,
    model_group="chat-fast",
    temperature=0.7,
    user_message="hello",
    request={"messages": []},
    content="",
    error=None,
    job_id=None,
    call_id=None,
    created_at=1.0,
    ended_at=None,
)
END: dict[str, Any] = {"state": "finished", "content": "text", "error": None, "receipt": {"a": 1}, "hops": [], "ended_at": 2.0}


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """An open store."""
    async with open_store(database_url) as store:
        yield store


async def test_text_with_a_nul(store: Store) -> None:
    """PostgreSQL cannot store NUL in text: there it is replaced, and nothing fails."""
    await store.add_turn(replace(ROW, conversation_id="c", user_message="a\0b"), title="a\0b")
    await store.end_turn("turn_1", **END | {"content": "c\0d"})
    (turn,), (conversation,) = await store.turns("c"), await store.conversations("s")
    assert {"a\0b", "a\ufffdb"} >= {turn.user_message, conversation.title}
    assert turn.content in ("c\0d", "c\ufffdd")


async def test_a_turn_is_kept_as_it_was_and_ends_once(store: Store) -> None:
    """Only its own session reads a turn back, as it was added. Its first end stays, and later checkpoints change nothing."""
    await store.add_turn(ROW)
    assert [ROW] == await store.streaming_turns()
    assert await store.turn("turn_1", "stranger") is None
    await store.checkpoint([("turn_1", "te", "job", "call")])
    assert [row.content for row in await store.streaming_turns()] == ["te"]
    await store.end_turn("turn_1", **END)
    await store.end_turn("turn_1", **END | {"content": "other"})
    await store.checkpoint([("turn_1", "late", "job", "call")])
    ended = await store.turn("turn_1", "s")
    assert ended is not None
    assert (ended.content, ended.state) == ("text", "finished")
    assert await store.streaming_turns() == []


async def test_a_conversation_has_one_running_turn(store: Store) -> None:
    """If many turns begin in one conversation at once, one succeeds. The others are told that it is busy."""
    await store.add_turn(replace(ROW, conversation_id="c"), title="Title")
    await store.end_turn("turn_1", **END)
    rows = [replace(ROW, id=f"turn_{number}", conversation_id="c", position=1) for number in range(2, 12)]
    outcomes = await asyncio.gather(*(store.add_turn(row) for row in rows), return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 1
    assert all(outcome is None or isinstance(outcome, ConversationBusy) for outcome in outcomes)


async def test_one_wrong_write_does_not_harm_the_others(store: Store) -> None:
    """A write that fails does not affect the others in its transaction."""
    rows = [replace(ROW, id=f"turn_{number}") for number in range(50)]
    outcomes = await asyncio.gather(*(store.add_turn(row) for row in [*rows, rows[7]]), return_exceptions=True)
    assert [index for index, outcome in enumerate(outcomes) if outcome is not None] == [50]
    assert len(await store.streaming_turns()) == 50


async def test_a_replaced_turn_leaves_its_conversation(store: Store) -> None:
    """The new turn takes the old one's place. The old one can still be found by its id."""
    await store.add_turn(replace(ROW, conversation_id="c"), title="Title")
    await store.end_turn("turn_1", **END)
    await store.add_turn(replace(ROW, id="turn_2", conversation_id="c"), replaces="turn_1")
    assert [row.id for row in await store.turns("c")] == ["turn_2"]
    old = await store.turn("turn_1", "s")
    assert old is not None
    assert old.replaced
