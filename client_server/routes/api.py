"""The same without a page: one request, one answer, as JSON or as its frames."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from client_server.asking import ask_alone
from client_server.bodies import ChatBody, json_body
from client_server.services import services
from client_server.turn import Turn
from hop.event_stream import EventStream
from wire.log import Reader
from wire.timing import now_ns


async def chat(request: Request) -> Response:
    """The whole answer. A client that leaves cancels it."""
    app = services(request)
    session = app.sessions.of(request)
    app.sessions.check_change(request, session)
    body = await json_body(request, ChatBody)
    await app.limits.count_turn(session)
    turn = await ask_alone(request, session, body, streaming=False)
    if not await _ended(request, turn):
        await app.turns.stop(turn)
        return Response(status_code=204)  # nobody is there to read it
    if turn.failure is not None:
        raise turn.failure
    headers = app.sessions.headers(request, session) | {"X-Turn-Id": turn.id, "Server-Timing": turn.marks.server_timing()}
    return JSONResponse(_answer(turn), headers=headers)


async def chat_stream(request: Request) -> Response:
    """The answer's frames, in the response itself. With the cookie that comes with it, the events route resumes it."""
    app = services(request)
    session = app.sessions.of(request)
    app.sessions.check_change(request, session)
    body = await json_body(request, ChatBody)
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
        "model_group": turn.request.get("model_group"),
        "timing": turn.hops,
    }


async def _ended(request: Request, turn: Turn) -> bool:
    """Waits for the turn's end as one of its readers; False where the client left before."""
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


routes = [
    Route("/api/chat", chat, methods=["POST"]),
    Route("/api/chat/stream", chat_stream, methods=["POST"]),
]
