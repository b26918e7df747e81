"""What the page does: send, read, stop, ask again, look at the times."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from client_server.asking import ask_again, ask_in_conversation
from client_server.bodies import BrowserHop, MessageForm, form_body, json_body
from client_server.errors import not_found
from client_server.services import services
from client_server.sessions import Session
from client_server.store import TurnRow
from client_server.store.records import STREAMING
from client_server.views import ended_us, turn_view
from hop.event_stream import EventStream
from wire.errors import ErrorCode, WireError
from wire.frames import index_after

RECONNECT_AFTER = b"retry: 500\n\n"
"""An EventSource that was cut comes back after half a second, instead of its usual three."""


async def messages(request: Request) -> Response:
    """A message from the form: the two bubbles, or, without script, the conversation's page."""
    app = services(request)
    session = app.sessions.of(request)
    app.sessions.check_change(request, session, (await request.form()).get("csrf_token"))
    form = await form_body(request, MessageForm)
    await app.limits.count_turn(session)
    turn, conversation = await ask_in_conversation(request, session, form)
    if not _from_htmx(request):
        return app.sessions.stamp(request, session, RedirectResponse(f"/c/{conversation.id}", 303))
    response = await _fragment(request, session, "turn.html", turn)
    response.headers["HX-Trigger"] = json.dumps({"conversation": {"id": conversation.id, "title": conversation.title}})
    if not form.conversation_id:
        response.headers["HX-Push-Url"] = f"/c/{conversation.id}"
    return app.sessions.stamp(request, session, response)


async def fragment(request: Request) -> Response:
    """The answer alone, as it stands: the page puts it in its own rendering's place at the end."""
    session, turn = await _turn(request)
    return await _fragment(request, session, "answer.html", turn)


async def events(request: Request) -> Response:
    """The answer's frames, from the start or after the last one the reader has."""
    app = services(request)
    session = app.sessions.of(request)
    index = index_after(request.headers.get("last-event-id") or request.query_params.get("last_event_id"))
    turn = app.turns.get(request.path_params["turn_id"], session.id)
    if turn is None:
        await _turn(request)  # somebody else's, or none
        raise WireError(ErrorCode.STREAM_EXPIRED, "This stream is over; the answer is in its conversation.")
    return EventStream(turn.log, index, marks=turn.marks, closed=app.limits.open_stream(session), preface=RECONNECT_AFTER)


async def stop(request: Request) -> Response:
    """Stops the answer, at the provider too. Stopping what has ended is allowed."""
    app = services(request)
    session, row = await _change(request)
    turn = app.turns.get(row.id, session.id)
    if turn is not None:
        await app.turns.stop(turn)
    return Response(status_code=204) if _from_htmx(request) else _back(row)


async def regenerate(request: Request) -> Response:
    """The same message again; the new answer takes the old one's place."""
    session, old = await _change(request)
    await services(request).limits.count_turn(session)
    turn = await ask_again(request, session, old)
    return await _fragment(request, session, "answer.html", turn) if _from_htmx(request) else _back(turn)


async def timing(request: Request) -> Response:
    """Where the time went: one record per hop, upstream first; the end on the clock of this server's own."""
    session, row = await _turn(request)
    turn = services(request).turns.get(row.id, session.id)
    hops: list[Any] = list(row.hops or ())
    if row.state == STREAMING and turn is not None:
        hops = [turn.marks.to_dict()]
    if row.browser_hop is not None:
        hops.append(row.browser_hop)
    body = {"state": row.state, "streaming": row.streaming, "ended_us": ended_us(row), "hops": hops, "receipt": row.receipt}
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


async def save_timing(request: Request) -> Response:
    """Keeps what the browser measured."""
    _, row = await _change(request)
    hop = await json_body(request, BrowserHop)
    await services(request).store.save_browser_hop(row.id, hop.model_dump())
    return Response(status_code=204)


async def _turn(request: Request) -> tuple[Session, TurnRow]:
    """The turn that the address names. Raises WireError NOT_FOUND where it is not this session's."""
    app = services(request)
    session = app.sessions.of(request)
    row = await app.store.turn(request.path_params["turn_id"], session.id)
    if row is None:
        raise not_found("turn")
    return session, replace(row, **app.turns.unsaved(row.id))


async def _change(request: Request) -> tuple[Session, TurnRow]:
    """The same for a route that changes it: it must come from our own page."""
    app = services(request)
    form_token = None if request.headers.get("x-csrf-token") else (await request.form()).get("csrf_token")
    app.sessions.check_change(request, app.sessions.of(request), form_token)
    return await _turn(request)


async def _fragment(request: Request, session: Session, template: str, row: TurnRow) -> Response:
    app = services(request)
    context = {"turn": await turn_view(row, app.renderer), "csrf_token": app.sessions.csrf_token(session)}
    return app.templates.page(template, context)


def _from_htmx(request: Request) -> bool:
    return request.headers.get("hx-request") == "true"


def _back(row: TurnRow) -> Response:
    return RedirectResponse("/" if row.conversation_id is None else f"/c/{row.conversation_id}", 303)


routes = [
    Route("/chat/messages", messages, methods=["POST"]),
    Route("/chat/turns/{turn_id}", fragment),
    Route("/chat/turns/{turn_id}/events", events),
    Route("/chat/turns/{turn_id}/stop", stop, methods=["POST"]),
    Route("/chat/turns/{turn_id}/regenerate", regenerate, methods=["POST"]),
    Route("/chat/turns/{turn_id}/timing", timing),
    Route("/chat/turns/{turn_id}/timing", save_timing, methods=["POST"]),
]
