"""The page, and its static files."""

from __future__ import annotations

import os
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from client_server.bodies import DEFAULT_TEMPERATURE
from client_server.errors import not_found
from client_server.model_groups import DEFAULT
from client_server.services import services
from client_server.store import ConversationRow, TurnRow
from client_server.templating import WEB
from client_server.views import CHAIN, ConversationView, conversation_view, turn_view


async def chat(request: Request) -> Response:
    """The page: an empty conversation, or the one that the address names."""
    app = services(request)
    session = app.sessions.of(request)
    conversation, turns = None, []
    conversation_id = request.path_params.get("conversation_id")
    if conversation_id is not None:
        conversation = await app.store.conversation(conversation_id, session.id)
        if conversation is None:
            raise not_found("conversation")
        turns = await app.store.turns(conversation.id)
    conversations = [] if session.fresh else await app.store.conversations(session.id)
    context = {
        "conversation": conversation,
        "conversations": _side_bar(conversations, conversation),
        "turns": [await turn_view(turn, app.renderer, app.turns.get(turn.id, session.id)) for turn in turns],
        "model_groups": await app.model_groups.names(),
        "csrf_token": app.sessions.csrf_token(session),
        "chain": CHAIN,
    }
    response = app.templates.page("chat.html", context | _controls(turns))
    return app.sessions.stamp(request, session, response)


def _side_bar(conversations: list[ConversationRow], open_one: ConversationRow | None) -> list[ConversationView]:
    return [conversation_view(row, open_one.id if open_one else None) for row in conversations]


def _controls(turns: list[TurnRow]) -> dict[str, Any]:
    """The controls stand as the conversation's last message left them."""
    last = turns[-1] if turns else None
    if last is None:
        return {"model_group": DEFAULT, "temperature": DEFAULT_TEMPERATURE, "streaming": True}
    temperature = DEFAULT_TEMPERATURE if last.temperature is None else last.temperature
    return {"model_group": last.model_group, "temperature": temperature, "streaming": last.streaming}


class _Assets(StaticFiles):
    """Static files: for ever under a versioned address, asked again under any other."""

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
    Mount("/static", _Assets(directory=WEB / "static", check_dir=False)),
]
