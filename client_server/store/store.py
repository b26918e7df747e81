"""All reads and writes of the middle tier's database. Everything that belongs to a session is looked up by it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Select, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError

from client_server.figures import Figures
from client_server.store.records import STREAMING, ConversationRow, RunningTurn, TurnRow, TurnTimes
from client_server.store.tables import conversations, sessions, turns
from storage.database import Database, open_database
from storage.prepared import Prepared, is_direct

Record = TypeVar("Record", TurnRow, RunningTurn, TurnTimes, ConversationRow)

MIGRATIONS = Path(__file__).parent / "migrations"
_FIGURES = [field.name for field in fields(Figures)]
_COLUMNS = {kind: [field.name for field in fields(kind)] for kind in (TurnRow, RunningTurn, TurnTimes, ConversationRow)}
_SHOWN, _RUNNING, _TIMES = ([turns.c[name] for name in _COLUMNS[kind]] for kind in (TurnRow, RunningTurn, TurnTimes))
_INSERT_SESSION = Prepared(insert(sessions))
_INSERT_SESSION_ONCE = Prepared(postgresql.insert(sessions).on_conflict_do_nothing())  # another worker may insert it at this moment
_USE_SESSION = Prepared(update(sessions).where(sessions.c.id == bindparam("session")).values(returned=True, used_at=bindparam("now")))
_INSERT_CONVERSATION = Prepared(insert(conversations))
_INSERT_TURN = Prepared(insert(turns))
_TOUCH = Prepared(update(conversations).where(conversations.c.id == bindparam("conversation")).values(updated_at=bindparam("now")))
_REPLACE = Prepared(update(turns).where(turns.c.id == bindparam("turn")).values(replaced=True))
_CHECKPOINT = Prepared(
    update(turns)
    .where(turns.c.id == bindparam("turn"), turns.c.state == STREAMING)
    .values({name: bindparam(f"new_{name}") for name in ("content", "job_id", "call_id")})
)
_ENDING = ("state", "content", "error", "receipt", "hops", "job_id", "call_id", "ended_at", *_FIGURES)
_END = Prepared(
    update(turns)
    .where(turns.c.id == bindparam("turn"), turns.c.state == STREAMING)
    .values({name: bindparam(f"new_{name}") for name in _ENDING} | {"request": None})
)
_BROWSER_HOP = Prepared(
    update(turns).where(turns.c.id == bindparam("turn")).values({name: bindparam(f"new_{name}") for name in ("browser_hop", *_FIGURES)})
)


@asynccontextmanager
async def open_store(url: str | URL, admit: Callable[[], Awaitable[None]] | None = None) -> AsyncIterator[Store]:
    """Opens the database at this URL and brings it up to date. Raises what `open_database` raises."""
    async with open_database(url, MIGRATIONS, admit) as database:
        yield Store(database)


class ConversationBusy(Exception):
    """The conversation's last answer is still being written."""


class Store:
    """The repository."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def at_start(self) -> AbstractContextManager[None]:
        """While it lasts, an outage of the database is a StorageError (`Database.at_start`)."""
        return self._database.at_start()

    async def conversation(self, conversation_id: str, session_id: str) -> ConversationRow | None:
        """Returns the conversation if it is this session's."""
        query = select(conversations).where(conversations.c.id == conversation_id, conversations.c.session_id == session_id)
        return next(iter(await self._rows(query, ConversationRow)), None)

    async def conversations(self, session_id: str, limit: int = 50) -> list[ConversationRow]:
        """Returns the session's conversations, the latest used first."""
        query = select(conversations).where(conversations.c.session_id == session_id)
        return await self._rows(query.order_by(conversations.c.updated_at.desc(), conversations.c.id).limit(limit), ConversationRow)

    async def turn(self, turn_id: str, session_id: str) -> TurnRow | None:
        """Returns the turn if it is this session's."""
        query = select(*_SHOWN).where(turns.c.id == turn_id, turns.c.session_id == session_id)
        return next(iter(await self._rows(query, TurnRow)), None)

    async def times(self, turn_id: str, session_id: str) -> TurnTimes | None:
        """Returns the turn's measurements if it is this session's."""
        query = select(*_TIMES).where(turns.c.id == turn_id, turns.c.session_id == session_id)
        return next(iter(await self._rows(query, TurnTimes)), None)

    async def turns(self, conversation_id: str, limit: int = 50, before: int | None = None) -> list[TurnRow]:
        """Returns a conversation's last turns in order, without replaced ones; with `before`, the last ones ahead of that position."""
        query = select(*_SHOWN).where(turns.c.conversation_id == conversation_id, turns.c.replaced.is_(False))
        if before is not None:
            query = query.where(turns.c.position < before)
        return (await self._rows(query.order_by(turns.c.position.desc()).limit(limit), TurnRow))[::-1]

    async def streaming_turns(self) -> list[RunningTurn]:
        """Returns the turns without an end. At start, those are the turns that a former process left."""
        return await self._rows(select(*_RUNNING).where(turns.c.state == STREAMING).order_by(turns.c.created_at), RunningTurn)

    async def add_turn(
        self, turn: RunningTurn, *, title: str | None = None, replaces: str | None = None, fresh_session: bool = False
    ) -> None:
        """Records a new turn, and its session. With `title` it first makes the conversation. Raises ConversationBusy."""

        def add(connection: Connection) -> None:
            _note_session(connection, turn.session_id, turn.created_at, fresh=fresh_session)
            if replaces is not None:
                _REPLACE.execute(connection, {"turn": replaces})
            if turn.conversation_id is not None and title is not None:
                made = ConversationRow(turn.conversation_id, turn.session_id, title, turn.created_at, turn.created_at)
                _INSERT_CONVERSATION.execute(connection, _values(made))
            elif turn.conversation_id is not None:
                _TOUCH.execute(connection, {"conversation": turn.conversation_id, "now": turn.created_at})
            _INSERT_TURN.execute(connection, _values(turn))

        try:
            await self._database.write(add)
        except IntegrityError as error:
            raise ConversationBusy from error

    async def checkpoint(self, progress: Sequence[tuple[str, str, str | None, str | None]]) -> None:
        """Saves how far turns have come: turn id, text so far, job id, call id."""
        names = ("turn", "new_content", "new_job_id", "new_call_id")
        rows = [dict(zip(names, values, strict=True)) for values in progress]
        await self._database.write(lambda connection: _CHECKPOINT.execute(connection, *rows))

    async def end_turn(self, turn_id: str, **ending: Any) -> None:
        """Saves a turn's end in one update. A turn that has ended already stays as it is."""
        row = {"turn": turn_id} | {f"new_{name}": ending.get(name) for name in _ENDING}
        await self._database.write(lambda connection: _END.execute(connection, row))

    async def save_browser_hop(self, turn_id: str, hop: dict[str, Any], figures: Figures | None) -> None:
        """Saves what the browser measured of a turn, and the figures that follow from it."""
        row = {"turn": turn_id, "new_browser_hop": hop} | {f"new_{name}": getattr(figures, name, None) for name in _FIGURES}
        await self._database.write(lambda connection: _BROWSER_HOP.execute(connection, row))

    async def count_sessions(self) -> int:
        """Returns how many sessions there are."""
        count = select(func.count()).select_from(sessions)
        return await self._database.read(lambda connection: int(connection.execute(count).scalar_one()))

    async def remove_sessions(self, *, returned: bool, before: float, limit: int) -> int:
        """Removes sessions with their conversations and turns: those that were last used longest ago, before this time.

        `returned`: those whose cookie has come back, or those whose has not. A session whose answer is still being written stays.
        Returns how many were removed.
        """
        writing = select(turns.c.id).where(turns.c.session_id == sessions.c.id, turns.c.state == STREAMING).exists()
        oldest = select(sessions.c.id).where(sessions.c.returned.is_(returned), sessions.c.used_at < before, ~writing)
        oldest = oldest.order_by(sessions.c.used_at).limit(limit)

        def remove(connection: Connection) -> int:
            ids = connection.execute(oldest).scalars().all()
            if ids:
                connection.execute(delete(turns).where(turns.c.session_id.in_(ids)))
                connection.execute(delete(conversations).where(conversations.c.session_id.in_(ids)))
                connection.execute(delete(sessions).where(sessions.c.id.in_(ids)))
            return len(ids)

        return await self._database.write(remove)

    async def _rows(self, query: Select[Any], kind: type[Record]) -> list[Record]:
        return await self._database.read(lambda connection: [kind(**row) for row in connection.execute(query).mappings()])


def _note_session(connection: Connection, session_id: str, now: float, *, fresh: bool) -> None:
    """Notes that a session is used. One that is not fresh may be unknown all the same: it was removed, or its first page kept nothing."""
    if fresh or not _USE_SESSION.execute(connection, {"session": session_id, "now": now}):
        row = {"id": session_id, "returned": not fresh, "created_at": now, "used_at": now}
        (_INSERT_SESSION if is_direct(connection) else _INSERT_SESSION_ONCE).execute(connection, row)


def _values(row: RunningTurn | ConversationRow) -> dict[str, Any]:
    """Returns the row's columns. (dataclasses.asdict would copy a whole conversation.)"""
    return {name: getattr(row, name) for name in _COLUMNS[type(row)]}
