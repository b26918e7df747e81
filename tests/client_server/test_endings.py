"""An error inside the server affects only its own turn: no reader waits forever, and no conversation stays blocked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from client_server import ending, turns, watch
from client_server.store import ConversationBusy, RunningTurn, Store, open_store
from client_server.turn import Turn
from client_server.turns import Turns
from hop.fold import Fold
from hop.shelf import Shelf
from saas_client import SaaSLLMClient
from storage.outages import DatabaseAway
from tests.client_server.fake_gateway import FakeGateway
from tests.client_server.test_store import ROW
from wire.log import Outcome

REQUEST: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}], "model_group": "chat-fast"}


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shortens all pauses and waits."""
    monkeypatch.setattr(ending, "SAVE_PATIENCE_S", 0.05)
    monkeypatch.setattr(watch, "EVERY_S", 0.05)
    monkeypatch.setattr(turns, "STOP_PATIENCE_S", 0.05)


@asynccontextmanager
async def serving(gateway: FakeGateway, database_url: str) -> AsyncIterator[tuple[Turns, Store]]:
    """The middle tier's turns and their database, in front of the gateway."""
    shelf = Shelf(total_bytes=2**28, owner_bytes=2**26, retention_s=60)
    with TemporaryDirectory() as folder:
        async with (
            open_store(database_url) as store,
            SaaSLLMClient(gateway.url, "sk-x", "team") as client,
            Turns(client, store, shelf, notes=Path(folder), grace_s=60, wait_s=0) as running,
        ):
            yield running, store


def row(number: int, conversation: str | None = None) -> RunningTurn:
    return replace(ROW, id=f"turn_{number}", conversation_id=conversation, request=REQUEST, created_at=time.time())


async def until(condition: Callable[[], Any]) -> None:
    """Waits for the condition. Raises TimeoutError."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # the condition has no event
            await asyncio.sleep(0.01)


class Broken:
    """A write to the database that fails as often as a test says."""

    def __init__(self, write: Any, error: Exception) -> None:
        self.write = write
        self.error = error
        self.failures = 10**9
        self.failed = 0

    async def __call__(self, *args: Any, **kwargs: Any) -> None:
        if self.failed < self.failures:
            self.failed += 1
            raise self.error
        await self.write(*args, **kwargs)


async def test_a_short_failure_of_the_database_is_not_noticed(
    gateway: FakeGateway, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ending that cannot be saved at first is saved at the next attempt, before the reader gets it."""
    async with serving(gateway, database_url) as (running, store):
        broken = Broken(store.end_turn, DatabaseAway())
        broken.failures = 1
        monkeypatch.setattr(store, "end_turn", broken)
        turn = await running.start(row(1))
        await (await gateway.call()).finish()
        await until(lambda: turn.ended)
        assert _outcome(turn) is Outcome.FINISHED
        saved = await store.turn(turn.id, turn.session_id)
        assert saved is not None
        assert saved.state == "finished"


async def test_an_ending_is_saved_once_the_database_is_back(
    gateway: FakeGateway, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a turn cannot be saved, readers are told. Its answer is kept and saved later, and the conversation opens without a restart."""
    async with serving(gateway, database_url) as (running, store):
        broken = Broken(store.end_turn, DatabaseAway())
        monkeypatch.setattr(store, "end_turn", broken)
        turn = await running.start(row(1, "c"), title="Title")
        call = await gateway.call()
        await call.say("kept")
        await call.finish()
        await until(lambda: turn.ended)
        assert _outcome(turn) is Outcome.FAILED
        assert running.unsaved(turn.id)["content"] == "kept"
        with pytest.raises(ConversationBusy):
            await running.start(row(2, "c"))
        broken.failures = broken.failed
        await until(lambda: not running.unsaved(turn.id))
        saved = await store.turn(turn.id, turn.session_id)
        assert saved is not None
        assert (saved.state, saved.content) == ("finished", "kept")
        await running.start(row(3, "c"))


async def test_an_answer_that_can_never_be_saved_blocks_nothing(
    gateway: FakeGateway, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no outage but a mistake that its text meets. Readers are told, and the conversation goes on without the text."""
    async with serving(gateway, database_url) as (running, store):
        end_turn = store.end_turn

        async def choosy(turn_id: str, **fields: Any) -> None:
            if fields["content"]:
                raise RuntimeError("a mistake")
            await end_turn(turn_id, **fields)

        monkeypatch.setattr(store, "end_turn", choosy)
        turn = await running.start(row(1, "c"), title="Title")
        call = await gateway.call()
        await call.say("poison")
        await call.finish()
        await until(lambda: turn.ended)
        assert _outcome(turn) is Outcome.FAILED
        assert turn.failure is not None
        assert turn.failure.message == "The answer could not be saved."
        await until(lambda: not running.unsaved(turn.id))
        saved = await store.turn(turn.id, turn.session_id)
        assert saved is not None
        assert (saved.state, saved.content) == ("finished", "")
        await running.start(row(2, "c"))


async def test_a_checkpoint_that_fails_ends_nothing(gateway: FakeGateway, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a checkpoint raises, the next one is tried, and saves what this one could not."""
    async with serving(gateway, database_url) as (running, store):
        broken = Broken(store.checkpoint, RuntimeError("not a database's error"))
        broken.failures = 2
        monkeypatch.setattr(store, "checkpoint", broken)
        turn = await running.start(row(1))
        call = await gateway.call()
        await call.say("so far")
        await until(lambda: turn.checkpointed == (1, len("so far"), call.call_id))
        assert broken.failed == 2
        assert [saved.content for saved in await store.streaming_turns()] == ["so far"]
        await call.finish()
        await until(lambda: turn.ended)


async def test_a_mistake_in_one_turn_ends_that_turn_alone(gateway: FakeGateway, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn that cannot be read to its end fails, for its readers and in its row. Another turn goes on to its own end."""
    take = Fold.take

    def choosy(fold: Fold, frames: Sequence[bytes]) -> None:
        if any(b"poison" in frame for frame in frames):
            raise RuntimeError("unexpected")
        take(fold, frames)

    monkeypatch.setattr(Fold, "take", choosy)
    async with serving(gateway, database_url) as (running, store):
        poisoned, sound = await running.start(row(1)), await running.start(row(2))
        for number, text in enumerate(("poison", "food")):
            call = await gateway.call(number)
            await call.say(text)
            await call.finish()
        await until(lambda: poisoned.ended and sound.ended)
        assert (_outcome(poisoned), _outcome(sound)) == (Outcome.FAILED, Outcome.FINISHED)
        assert await store.streaming_turns() == []


async def test_readers_get_an_end_whatever_goes_wrong(gateway: FakeGateway, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn's log ends even if the code that ends the turn fails."""

    async def fail(*_: object) -> None:
        raise RuntimeError("unexpected")

    monkeypatch.setattr(ending.Endings, "conclude", fail)
    async with serving(gateway, database_url) as (running, _store):
        turn = await running.start(row(1))
        await (await gateway.call()).finish()
        await until(lambda: turn.ended)
        assert _outcome(turn) is Outcome.FAILED


async def test_stop_ends_a_turn_that_waits_for_its_start(gateway: FakeGateway, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn of a former process can be stopped while it waits to start, and its readers get the end."""
    monkeypatch.setattr(turns, "STARTING_AT_ONCE", 0)
    async with serving(gateway, database_url) as (running, store):
        await store.add_turn(row(1))
        running.adopt(row(1))
        turn = running.get("turn_1", ROW.session_id)
        assert turn is not None
        await running.stop(turn)
        await until(lambda: turn.ended)
        assert _outcome(turn) is Outcome.CANCELLED


def _outcome(turn: Turn) -> Outcome | None:
    return None if turn.log.ending is None else turn.log.ending.outcome
