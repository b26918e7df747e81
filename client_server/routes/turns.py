"""A turn that runs or has ended: its frames, stopping it, its times. The page's script and any other program can use these."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from client_server.answers import TurnTiming
from client_server.errors import stream_expired
from client_server.figures import ended_us, figures
from client_server.openapi import ELSEWHERE, FRAMES
from client_server.requests import BrowserHop
from client_server.services import ChangeDep, SessionDep, services
from client_server.store import TurnRow
from client_server.store.records import STREAMING
from hop.event_stream import EventStream
from serving.app import Route
from serving.bodies import Json
from serving.media import is_json
from serving.openapi import EVENT_STREAM, answers
from serving.prefix import root_of
from wire.errors import ErrorCode
from wire.frames import index_after

router = APIRouter(prefix="/chat/turns", tags=["turns"], route_class=Route)

RECONNECT_AFTER = b"retry: 500\n\n"
"""After a cut, an EventSource reconnects after half a second instead of its usual three."""

_LAST = "The id of the last frame that has come, a number from 0."
LastEventId = Annotated[str | None, Header(alias="Last-Event-ID", description=_LAST)]
LastEventIdInUrl = Annotated[str | None, Query(alias="last_event_id", description="The same, for a reader that can set no header.")]
NOT_FOUND, CSRF = ErrorCode.NOT_FOUND, ErrorCode.CSRF


@router.get(
    "/{turn_id}/events",
    responses=answers(None, FRAMES, NOT_FOUND, ErrorCode.STREAM_EXPIRED, ErrorCode.RATE_LIMITED, content=EVENT_STREAM),
    response_class=Response,
)
async def events(
    turn_id: str, request: Request, session: SessionDep, last_event_id: LastEventId = None, in_url: LastEventIdInUrl = None
) -> Response:
    """Streams the answer, from the start or after the reader's last frame."""
    app = services(request)
    index = index_after(last_event_id or in_url)
    turn = app.turns.get(turn_id, session.id)
    if turn is None:
        await app.turn(turn_id, session)  # raises if there is none, or it is somebody else's
        raise stream_expired()
    return EventStream(turn.log, index, marks=turn.marks, closed=app.limits.open_stream(session), preface=RECONNECT_AFTER)


@router.post(
    "/{turn_id}/stop",
    status_code=204,
    responses=answers(None, "It is stopped, or had ended.", NOT_FOUND, CSRF, status=204) | ELSEWHERE,
    response_class=Response,
)
async def stop(turn_id: str, request: Request, session: ChangeDep) -> Response:
    """Stops the answer, at the provider too. Does nothing if it has ended. A program sends `Content-Type: application/json`."""
    app = services(request)
    row = await app.turn(turn_id, session)
    turn = app.turns.get(row.id, session.id)
    if turn is not None:
        await app.turns.stop(turn)
    return back(request, row) if is_page_without_script(request) else Response(status_code=204)


@router.get("/{turn_id}/timing", responses=answers(TurnTiming, "The times.", NOT_FOUND))
async def timing(turn_id: str, request: Request, session: SessionDep) -> Response:
    """Returns where the time went: one record per hop, upstream first, and the end on the clock of this server's record."""
    app = services(request)
    times = await app.times(turn_id, session)
    turn = app.turns.get(turn_id, session.id)
    hops: list[Any] = list(times.hops or ())
    if times.state == STREAMING and turn is not None:
        await turn.fold.follow(turn.log)
        hops = [turn.marks.to_dict(turn.fold.first_token)]
    if times.browser_hop is not None:
        hops.append(times.browser_hop)
    waiting_for = "saas_api" if turn is not None and turn.waiting and not turn.ended else None
    body = {"state": times.state, "streaming": times.streaming, "ended_us": ended_us(times), "waiting_for": waiting_for}
    body |= {"hops": hops, "receipt": times.receipt}
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


@router.post(
    "/{turn_id}/timing",
    status_code=204,
    responses=answers(None, "It is kept.", NOT_FOUND, CSRF, status=204),
    response_class=Response,
)
async def save_timing(turn_id: str, request: Request, session: ChangeDep, hop: Json[BrowserHop]) -> Response:
    """Stores what the browser, or another program that shows the answer, has measured."""
    app = services(request)
    browser_hop = hop.model_dump()
    times = replace(await app.times(turn_id, session), browser_hop=browser_hop)
    await app.store.save_browser_hop(turn_id, browser_hop, figures(times))
    return Response(status_code=204)


def is_page_without_script(request: Request) -> bool:
    """Whether the page's form sent it without script. The answer must then be a page."""
    return request.headers.get("hx-request") != "true" and not is_json(request.headers.get("content-type"))


def back(request: Request, row: TurnRow) -> Response:
    """Redirects to the turn's conversation."""
    path = "/" if row.conversation_id is None else f"/c/{row.conversation_id}"
    return RedirectResponse(root_of(request.scope) + path, 303)
