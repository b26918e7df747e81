"""The page and its fragments, what its forms do, and its static files."""

from __future__ import annotations

import json
import os
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from client_server.conversation import ask_again, ask_in_conversation
from client_server.model_groups import DEFAULT
from client_server.presentation import CHAIN, ConversationView, conversation_view, turn_view
from client_server.rendering.templates import WEB
from client_server.requests import DEFAULT_TEMPERATURE, MessageForm, form_body
from client_server.routes.turns import back
from client_server.services import services
from client_server.sessions import Session
from client_server.store import ConversationRow, TurnRow
from serving.errors import malformed
from serving.prefix import root_of

TURNS_SHOWN = 50
"""The turns of one page; a link leads to those before them."""
MAX_POSITION_DIGITS = 9


async def chat(request: Request) -> Response:
    """Returns the page with an empty conversation, or with the one in the address."""
    app = services(request)
    session = app.sessions.of(request)
    conversation, turns, more = None, [], False
    before = _before(request)
    conversation_id = request.path_params.get("conversation_id")
    if conversation_id is not None:
        conversation = await app.conversation(conversation_id, session)
        turns = await app.store.turns(conversation.id, TURNS_SHOWN + 1, before)
        turns, more = turns[-TURNS_SHOWN:], len(turns) > TURNS_SHOWN
    conversations = [] if session.fresh else await app.store.conversations(session.id)
    context = {
        "conversation": conversation,
        "conversations": _side_bar(conversations, conversation),
        "turns": [await turn_view(turn, app.renderer, app.turns.get(turn.id, session.id)) for turn in turns],
        "earlier_url": f"/c/{turns[0].conversation_id}?before={turns[0].position}" if more else None,
        "latest_url": f"/c/{conversation.id}" if conversation and before is not None else None,
        "model_groups": await app.model_groups.names(),
        "csrf_token": app.sessions.csrf_token(session),
        "chain": CHAIN,
    }
    response = app.templates.page("chat.html", context | _controls(turns))
    return app.sessions.stamp(request, session, response)


async def messages(request: Request) -> Response:
    """Takes a message from the form. Returns the two bubbles, or the conversation's page if there is no script."""
    app = services(request)
    session = app.sessions.of(request)
    await app.sessions.check_change(request, session)
    form = await form_body(request, MessageForm)
    await app.limits.count_turn(session)
    turn, conversation = await ask_in_conversation(request, session, form)
    if not _from_htmx(request):
        return app.sessions.stamp(request, session, back(request, turn))
    response = await _fragment(request, session, "turn.html", turn)
    response.headers["HX-Trigger"] = json.dumps({"conversation": {"id": conversation.id, "title": conversation.title}})
    if not form.conversation_id:
        response.headers["HX-Push-Url"] = f"{root_of(request.scope)}/c/{conversation.id}"
    return app.sessions.stamp(request, session, response)


async def fragment(request: Request) -> Response:
    """Returns the answer alone. At the end the page replaces its own rendering with it."""
    app = services(request)
    session = app.sessions.of(request)
    return await _fragment(request, session, "answer.html", await app.turn(request.path_params["turn_id"], session))


async def regenerate(request: Request) -> Response:
    """Sends the same message again. The new answer replaces the old one."""
    app = services(request)
    session = app.sessions.of(request)
    await app.sessions.check_change(request, session)
    old = await app.turn(request.path_params["turn_id"], session)
    await app.limits.count_turn(session)
    turn = await ask_again(request, session, old)
    return await _fragment(request, session, "answer.html", turn) if _from_htmx(request) else back(request, turn)


async def _fragment(request: Request, session: Session, template: str, row: TurnRow) -> Response:
    app = services(request)
    context = {"turn": await turn_view(row, app.renderer), "csrf_token": app.sessions.csrf_token(session)}
    return app.templates.page(template, context)


def _before(request: Request) -> int | None:
    """The position whose earlier turns the address asks for. Raises WireError INVALID_REQUEST."""
    text = request.query_params.get("before")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_POSITION_DIGITS):
        raise malformed("before: it must be a turn's position, a number from 0.")
    return int(text)


def _from_htmx(request: Request) -> bool:
    return request.headers.get("hx-request") == "true"


def _side_bar(conversations: list[ConversationRow], open_one: ConversationRow | None) -> list[ConversationView]:
    return [conversation_view(row, open_one.id if open_one else None) for row in conversations]


def _controls(turns: list[TurnRow]) -> dict[str, Any]:
    """Returns the controls as the conversation's last message left them."""
    last = turns[-1] if turns else None
    if last is None:
        return {"model_group": DEFAULT, "temperature": DEFAULT_TEMPERATURE, "streaming": True}
    temperature = DEFAULT_TEMPERATURE if last.temperature is None else last.temperature
    return {"model_group": last.model_group, "temperature": temperature, "streaming": last.streaming}


class _Assets(StaticFiles):
    """Serves static files. Browsers keep those with a version in the address, and ask again for all others."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        versioned = scope["query_string"].startswith(b"v=")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if versioned else "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


routes: list[BaseRoute] = [
    Route("/", chat),
    Route("/c/{conversation_id}", chat),
    Route("/chat/messages", messages, methods=["POST"]),
    Route("/chat/turns/{turn_id}", fragment),
    Route("/chat/turns/{turn_id}/regenerate", regenerate, methods=["POST"]),
    Mount("/static", _Assets(directory=WEB / "static", check_dir=False)),
]
