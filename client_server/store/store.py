"""Every read and write of the middle tier's database. Whatever belongs to a session is looked up by it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from client_server.store.batch import Batch, Statement, Transact
from client_server.store.engine import create_engine, migrate, transactions
from client_server.store.prepared import Prepared
from client_server.store.records import STREAMING, ConversationRow, TurnRow
from client_server.store.tables import conversations, turns

_COLUMNS = {kind: [field.name for field in fields(kind)] for kind in (TurnRow, ConversationRow)}
_INSERT_CONVERSATION = Prepared(insert(conversations))
_INSERT_TURN = Prepared(insert(turns))
_TOUCH = Prepared(update(conversations).where(conversations.c.id == bindparam("conversation")).values(updated_at=bindparam("now")))
_REPLACE = Prepared(update(turns).where(turns.c.id == bindparam("turn")).values(replaced=True))
_CHECKPOINT = Prepared(
    update(turns)
    .where(turns.c.id == bindparam("turn"), turns.c.state == STREAMING)
    .values({name: bindparam(f"new_{name}") for name in ("content", "job_id", "call_id")})
)
_ENDING = ("state", "content", "error", "receipt", "hops", "job_id", "call_id", "ended_at")
_END = Prepared(
    update(turns)
    .where(turns.c.id == bindparam("turn"), turns.c.state == STREAMING)
    .values({name: bindparam(f"new_{name}") for name in _ENDING} | {"request": None})
)
_BROWSER_HOP = Prepared(update(turns).where(turns.c.id == bindparam("turn")).values(browser_hop=bindparam("new_browser_hop")))


@asynccontextmanager
async def open_store(url: str) -> AsyncIterator[Store]:
    """The database at this URL, brought up to date."""
    engine = create_engine(url)
    try:
        await migrate(engine)
        async with transactions(engine) as transact:
            yield Store(engine, transact)
    finally:
        await engine.dispose()


class ConversationBusy(Exception):
    """The conversation's last answer is still being written."""


class Store:
    """The repository."""

    def __init__(self, engine: AsyncEngine, transact: Transact) -> None:
        self._batch = Batch(transact)
        self._engine = engine
        self._text = _without_nul if engine.dialect.name == "postgresql" else str

    async def conversation(self, conversation_id: str, session_id: str) -> ConversationRow | None:
        """The conversation, if it is this session's."""
        query = select(conversations).where(conversations.c.id == conversation_id, conversations.c.session_id == session_id)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else ConversationRow(**row)

    async def conversations(self, session_id: str, limit: int = 50) -> list[ConversationRow]:
        """The session's conversations, the latest used first."""
        query = (
            select(conversations)
            .where(conversations.c.session_id == session_id)
            .order_by(conversations.c.updated_at.desc(), conversations.c.id)
            .limit(limit)
        )
        async with self._engine.connect() as connection:
            return [ConversationRow(**row) for row in (await connection.execute(query)).mappings()]

    async def turn(self, turn_id: str, session_id: str) -> TurnRow | None:
        """The turn, if it is this session's."""
        query = select(turns).where(turns.c.id == turn_id, turns.c.session_id == session_id)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else TurnRow(**row)

    async def turns(self, conversation_id: str) -> list[TurnRow]:
        """The turns that stand in a conversation, in order."""
        query = select(turns).where(turns.c.conversation_id == conversation_id, turns.c.replaced.is_(False))
        async with self._engine.connect() as connection:
            return [TurnRow(**row) for row in (await connection.execute(query.order_by(turns.c.position))).mappings()]

    async def streaming_turns(self) -> list[TurnRow]:
        """The turns that have no end yet: at start, those that a process before this one has left."""
        query = select(turns).where(turns.c.state == STREAMING).order_by(turns.c.created_at)
        async with self._engine.connect() as connection:
            return [TurnRow(**row) for row in (await connection.execute(query)).mappings()]

    async def add_turn(self, turn: TurnRow, *, title: str | None = None, replaces: str | None = None) -> None:
        """Records a turn that begins; `title` makes its conversation first. Raises ConversationBusy."""
        values = _values(turn) | {"user_message": self._text(turn.user_message)}
        steps: list[Statement] = []
        if replaces is not None:
            steps.append((_REPLACE, [{"turn": replaces}]))
        if turn.conversation_id is not None and title is not None:
            made = ConversationRow(turn.conversation_id, turn.session_id, self._text(title), turn.created_at, turn.created_at)
            steps.append((_INSERT_CONVERSATION, [_values(made)]))
        elif turn.conversation_id is not None:
            steps.append((_TOUCH, [{"conversation": turn.conversation_id, "now": turn.created_at}]))
        try:
            await self._batch.write(*steps, (_INSERT_TURN, [values]))
        except IntegrityError as error:
            raise ConversationBusy from error

    async def checkpoint(self, progress: Sequence[tuple[str, str, str | None, str | None]]) -> None:
        """Saves how far turns have come: turn id, text so far, job id, call id."""
        rows = [
            {"turn": turn_id, "new_content": self._text(content), "new_job_id": job_id, "new_call_id": call_id}
            for turn_id, content, job_id, call_id in progress
        ]
        await self._batch.write((_CHECKPOINT, rows))

    async def end_turn(self, turn_id: str, **ending: Any) -> None:
        """Saves a turn's end, whole, in one update; a turn that has ended already stays as it is."""
        ending["content"] = self._text(ending["content"])
        await self._batch.write((_END, [{"turn": turn_id} | {f"new_{name}": ending.get(name) for name in _ENDING}]))

    async def save_browser_hop(self, turn_id: str, hop: dict[str, Any]) -> None:
        """Keeps what the browser measured of a turn."""
        await self._batch.write((_BROWSER_HOP, [{"turn": turn_id, "new_browser_hop": hop}]))


def _values(row: TurnRow | ConversationRow) -> dict[str, Any]:
    """The row's columns. (dataclasses.asdict would copy a whole conversation for it.)"""
    return {name: getattr(row, name) for name in _COLUMNS[type(row)]}


def _without_nul(text: str) -> str:
    """PostgreSQL's text cannot hold U+0000."""
    return text.replace("\0", "\ufffd")
