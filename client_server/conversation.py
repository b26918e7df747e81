"""Turns a person's message into a running turn, with the conversation's history before it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request

from client_server.requests import ChatBody, MessageForm
from client_server.services import services
from client_server.sessions import Session
from client_server.store import ConversationBusy, ConversationRow, RunningTurn, TurnRow
from client_server.store.records import REMEMBERED, STREAMING
from client_server.turn import Turn
from serving.room import place_of
from wire.errors import ErrorCode, WireError

TITLE_CHARACTERS = 80
HISTORY_CHARACTERS = 150_000
"""How many characters of history are sent along. Even at six bytes a character in JSON they fit into the gateway's limit."""
HISTORY_TURNS = 500
"""How many turns of history are sent along at most, however short they are."""


async def ask_in_conversation(request: Request, session: Session, form: MessageForm) -> tuple[TurnRow, ConversationRow]:
    """Starts the turn of a message from the page, and a conversation if there is none. Raises WireError."""
    now = time.time()
    earlier: list[TurnRow] = []
    if not form.conversation_id:
        conversation, title = ConversationRow(f"conv_{secrets.token_hex(12)}", session.id, title_of(form.message), now, now), True
    else:
        conversation, title = await services(request).conversation(form.conversation_id, session), False
        earlier = await services(request).store.turns(conversation.id, HISTORY_TURNS)
    row = _row(
        session,
        conversation.id,
        position=earlier[-1].position + 1 if earlier else 0,
        streaming=form.stream,
        user_message=form.message,
        model_group=form.model_group,
        temperature=form.temperature,
        request=gateway_request(form.message, earlier, form.model_group, form.temperature),
    )
    await _start(request, session, row, title=conversation.title if title else None)
    return row, conversation


async def ask_again(request: Request, session: Session, old: TurnRow) -> TurnRow:
    """Starts a turn that replaces one that has ended. Raises WireError JOB_STATE if that is not possible."""
    if old.conversation_id is None or old.replaced or old.state == STREAMING:
        raise WireError(ErrorCode.JOB_STATE, "Only an answer that has ended and stands in a conversation can be asked for again.")
    earlier = await services(request).store.turns(old.conversation_id, HISTORY_TURNS, before=old.position)
    row = _row(
        session,
        old.conversation_id,
        position=old.position,
        streaming=old.streaming,
        user_message=old.user_message,
        model_group=old.model_group,
        temperature=old.temperature,
        request=gateway_request(old.user_message, earlier, old.model_group, old.temperature),
    )
    await _start(request, session, row, replaces=old.id)
    return row


async def ask_alone(request: Request, session: Session, body: ChatBody, *, streaming: bool) -> Turn:
    """Starts a turn for the API. It belongs to no conversation."""
    row = _row(
        session,
        None,
        position=0,
        streaming=streaming,
        user_message=body.asked,
        model_group=body.model_group,
        temperature=body.temperature,
        request={"messages": body.conversation, "model_group": body.model_group} | body.parameters,
    )
    return await _start(request, session, row)


def title_of(message: str) -> str:
    """Returns a conversation's title: the beginning of its first message, in one line."""
    line = " ".join(message.split())
    return line if len(line) <= TITLE_CHARACTERS else line[: TITLE_CHARACTERS - 1].rstrip() + "…"


def gateway_request(message: str, earlier: Sequence[TurnRow], model_group: str, temperature: float | None) -> dict[str, Any]:
    """Returns the gateway's request: the history without failed answers, and then the new message."""
    remembered: list[TurnRow] = []
    room = HISTORY_CHARACTERS
    for turn in reversed(earlier):
        if turn.state in REMEMBERED and turn.content:
            room -= len(turn.user_message) + len(turn.content)
            if room < 0:
                break  # a long conversation drops its beginning
            remembered.insert(0, turn)
    messages: list[dict[str, Any]] = []
    for turn in remembered:
        messages += ({"role": "user", "content": turn.user_message}, {"role": "assistant", "content": turn.content})
    messages.append({"role": "user", "content": message})
    request: dict[str, Any] = {"messages": messages, "model_group": model_group}
    return request if temperature is None else request | {"temperature": temperature}


def _row(session: Session, conversation_id: str | None, *, request: dict[str, Any], **fields: Any) -> RunningTurn:
    """Returns the row of a new turn."""
    turn_id = f"turn_{secrets.token_hex(12)}"
    return RunningTurn(
        id=turn_id,
        session_id=session.id,
        conversation_id=conversation_id,
        request=request | {"metadata": {"turn_id": turn_id}},
        created_at=time.time(),
        **fields,
    )


async def _start(request: Request, session: Session, row: RunningTurn, *, title: str | None = None, replaces: str | None = None) -> Turn:
    app, state = services(request), request.state
    app.upkeep.admit(session)
    try:
        turn = await app.turns.start(
            row,
            received_ns=state.received_ns,
            request_id=state.request_id,
            title=title,
            replaces=replaces,
            fresh_session=session.fresh,
        )
    except ConversationBusy:
        raise WireError(
            ErrorCode.JOB_STATE, "The last answer of this conversation is still being written: wait for it or stop it."
        ) from None
    turn.request.when_gone(place_of(request).keep())
    return turn
