"""The objects that the lifespan builds and the routes use, in one typed place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, cast

from fastapi import Depends, Request

from client_server.errors import not_found
from client_server.limits import SessionLimits
from client_server.model_groups import ModelGroups
from client_server.rendering.renderer import Renderer
from client_server.rendering.templates import Templates
from client_server.sessions import Session, Sessions
from client_server.store import ConversationRow, Store, TurnRow, TurnTimes
from client_server.turns import Turns
from client_server.upkeep import Upkeep


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a request handler may need."""

    sessions: Sessions
    limits: SessionLimits
    store: Store
    upkeep: Upkeep
    turns: Turns
    model_groups: ModelGroups
    renderer: Renderer
    templates: Templates

    async def turn(self, turn_id: str, session: Session) -> TurnRow:
        """Returns the turn's record, with an ending that is not saved yet. Raises WireError NOT_FOUND if it is not this session's."""
        row = await self.store.turn(turn_id, session.id)
        if row is None:
            raise not_found("turn")
        return replace(row, **_fields_of(TurnRow, self.turns.unsaved(row.id)))

    async def times(self, turn_id: str, session: Session) -> TurnTimes:
        """Returns what was measured of the turn. Raises WireError NOT_FOUND if it is not this session's."""
        times = await self.store.times(turn_id, session.id)
        if times is None:
            raise not_found("turn")
        return replace(times, **_fields_of(TurnTimes, self.turns.unsaved(turn_id)))

    async def conversation(self, conversation_id: str, session: Session) -> ConversationRow:
        """Returns the conversation. Raises WireError NOT_FOUND if it is not this session's."""
        row = await self.store.conversation(conversation_id, session.id)
        if row is None:
            raise not_found("conversation")
        return row


def _fields_of(kind: type[Any], ending: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields of an unsaved ending that a row of this kind has."""
    return {field.name: ending[field.name] for field in fields(kind) if field.name in ending}


def services(request: Request) -> Services:
    """Returns the services of the server that received this request."""
    return cast(Services, request.app.state.services)


async def _session(request: Request) -> Session:
    return services(request).sessions.of(request)


async def _changing_session(request: Request) -> Session:
    sessions = services(request).sessions
    session = sessions.of(request)
    await sessions.check_change(request, session)
    return session


SessionDep = Annotated[Session, Depends(_session)]
"""A dependency: the session of the request."""
ChangeDep = Annotated[Session, Depends(_changing_session)]
"""The same for a request that changes something. Raises WireError CSRF unless our own page, or a program outside a browser, sent it."""
