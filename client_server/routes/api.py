"""Chat without a page: one request, one answer, as JSON or as a stream."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from client_server.answers import ChatAnswer
from client_server.conversation import ask_alone
from client_server.openapi import ASKING, FRAMES, TURN_HEADERS, WHOLE, WHOLE_HEADERS
from client_server.requests import ChatBody
from client_server.services import ChangeDep, services
from client_server.turn import Turn
from hop.event_stream import EventStream
from hop.pieces import write_in_pieces
from serving.app import Route
from serving.bodies import Json
from serving.openapi import EVENT_STREAM, answers
from wire.log import Reader
from wire.timing import now_ns

router = APIRouter(prefix="/api", tags=["chat"], route_class=Route)


@router.post("/chat", responses=answers(ChatAnswer, "The whole answer.", *ASKING, *WHOLE, headers=WHOLE_HEADERS))
async def chat(request: Request, session: ChangeDep, body: Json[ChatBody]) -> Response:
    """Returns the whole answer. If the client leaves, the answer is cancelled."""
    app = services(request)
    await app.limits.count_turn(session)
    turn = await ask_alone(request, session, body, streaming=False)
    if not await _ended(request, turn):
        await app.turns.stop(turn)
        return Response(status_code=204)  # nobody is there to read it
    if turn.failure is not None:
        raise turn.failure
    headers = app.sessions.headers(request, session) | {"X-Turn-Id": turn.id, "Server-Timing": turn.marks.server_timing()}
    return Response(await write_in_pieces(_answer(turn)), 200, headers, "application/json")


@router.post(
    "/chat/stream",
    responses=answers(None, FRAMES, *ASKING, content=EVENT_STREAM, headers=TURN_HEADERS),
    response_class=Response,
)
async def chat_stream(request: Request, session: ChangeDep, body: Json[ChatBody]) -> Response:
    """Streams the answer. To resume it, use `/chat/turns/{turn_id}/events` with this response's cookie."""
    app = services(request)
    await app.limits.count_turn(session)
    close = app.limits.open_stream(session)
    try:
        turn = await ask_alone(request, session, body, streaming=True)
    except BaseException:
        close()
        raise
    return EventStream(turn.log, marks=turn.marks, closed=close, headers=app.sessions.headers(request, session) | {"X-Turn-Id": turn.id})


def _answer(turn: Turn) -> dict[str, Any]:
    receipt: Mapping[str, Any] = turn.fold.receipt or {}
    return {
        "turn_id": turn.id,
        "job_id": turn.job_id,
        "call_id": turn.call_id,
        "content": turn.content(),
        "finish_reason": receipt.get("finish_reason"),
        "usage": receipt.get("usage"),
        "cost_usd": receipt.get("cost_usd"),
        "model_group": turn.request.model_group,
        "timing": turn.hops,
    }


async def _ended(request: Request, turn: Turn) -> bool:
    """Waits for the turn's end as one of its readers. Returns False if the client left before."""
    reader = turn.log.reader()
    since = now_ns()
    watch = asyncio.ensure_future(_until_gone(request, reader))
    try:
        while not turn.ended and not watch.done():
            if reader.take():
                turn.marks.departed(reader.index, since)
            else:
                await reader.wait()
        return turn.ended
    finally:
        watch.cancel()
        reader.close()


async def _until_gone(request: Request, reader: Reader) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    reader.wake()
