"""A stand-in for the middle tier. It has the same routes, renders the real templates, and streams scripted answers.

The tests of the page's own behaviour (reconnecting, ignoring duplicates, keeping what was typed) use it, because it can
misbehave on command: the first word of a message chooses the script. It runs over a real socket in its own thread.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from fastapi.staticfiles import StaticFiles

from client_server.forms import form_fields
from client_server.rendering.templates import SECURITY_HEADERS, WEB, Templates
from tests.web.page_turn import Turn

CHAIN = ["browser", "client_server", "saas_api", "model"]
GROUPS = ["chat-fast", "chat-balanced", "chat-quality"]
TOKEN = "the-token"


class PageServer:
    """The turns of one page, and the app that serves them.

    `answers` maps a message's first word to the chunks of its answer. The next `refusals` messages are refused.
    """

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.answers: dict[str, list[str]] = {}
        self.url = ""
        self.app = FastAPI()
        self.app.mount("/static", StaticFiles(directory=WEB / "static"))
        self.templates = Templates()
        self.refusals = 0
        self.gap_s = Turn.gap_s
        self.first_s = Turn.first_s
        self._routes()

    def turn(self, turn_id: str) -> Turn:
        return next(turn for turn in self.turns if turn.id == turn_id)

    def render(self, template: str, **context: Any) -> HTMLResponse:
        return self.templates.page(template, {"csrf_token": TOKEN, **context})

    def page(self, conversation: dict[str, str] | None) -> HTMLResponse:
        entry = {"id": "one", "title": "The way of a chunk", "url": "/c/one", "active": conversation is not None}
        return self.render(
            "chat.html",
            conversation=conversation,
            conversations=[entry] if self.turns else [],
            turns=self.turns if conversation else [],
            model_groups=GROUPS,
            model_group="chat-fast",
            temperature=0.7,
            streaming=True,
            chain=CHAIN,
            earlier_url=None,
            latest_url=None,
        )

    def add(self, message: str, *, streaming: bool = True, model_group: str = "chat-fast") -> Turn:
        script = message.split(maxsplit=1)[0].strip().lower()
        answer = self.answers.get(script) or [f"{word} " for word in f"You wrote: {message}".split(" ")]
        chunks = answer if streaming else ["".join(answer)]
        turn = Turn(
            f"turn{len(self.turns)}", message, chunks, streaming, model_group, gap_s=self.gap_s, first_s=self.first_s, script=script
        )
        self.turns.append(turn)
        return turn

    async def frames(self, turn: Turn, after: int, connection: int) -> AsyncIterator[bytes]:
        """The turn's frames after an id. Counts its reader while it reads."""
        turn.readers += 1
        try:
            async for frame in self.scripted(turn, after, connection):
                yield frame
        finally:
            turn.readers -= 1

    async def scripted(self, turn: Turn, after: int, connection: int) -> AsyncIterator[bytes]:
        """The turn's frames as its script sends them. Scripts that cut the stream do so on their first connections."""
        yield b"retry: 100\n\n"
        for index in range(after + 1, len(turn.answer)):
            if turn.state == "cancelled":
                break
            if index >= turn.sent:
                await asyncio.sleep(turn.first_s if index == 0 else turn.gap_s)
                if turn.state == "cancelled":
                    break
                turn.arrivals.append(int((time.perf_counter() - turn.began) * 1e6))
                turn.sent = index + 1
            yield self.chunk(index, turn.answer[index])
            if turn.script == "again" and index:
                yield self.chunk(index - 1, turn.answer[index - 1])
            if turn.script in ("cut", "refuse") and connection < 2 and index == 5 * (connection + 1):
                return
            if turn.script == "fail" and index == 5:
                error = {"code": "upstream_error", "message": "The model broke off in mid-answer.", "retryable": True}
                turn.end("failed", error)
                yield b"event: failed\ndata: " + json.dumps({"error": error}).encode() + b"\n\n"
                return
        status = "cancelled" if turn.state == "cancelled" else "finished"
        yield b"event: receipt\ndata: " + json.dumps({"status": status}).encode() + b"\n\n"
        for hop in turn.hops():
            yield b"event: hop\ndata: " + json.dumps(hop).encode() + b"\n\n"
        if turn.state == "streaming":
            turn.end("finished")
        elif turn.state == "cancelled":
            turn.end("cancelled")
        yield b"data: [DONE]\n\n"

    @staticmethod
    def chunk(index: int, text: str) -> bytes:
        body = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]}
        return f"id: {index}\ndata: {json.dumps(body)}\n\n".encode()

    def _routes(self) -> None:
        app = self.app

        @app.get("/")
        async def home() -> Response:
            return self.page(None)

        @app.get("/blank")
        async def blank() -> Response:
            return HTMLResponse("<!doctype html><title>blank</title><div id=root></div>", headers=dict(SECURITY_HEADERS))

        @app.get("/c/one")
        async def conversation() -> Response:
            return self.page({"id": "one", "title": "The way of a chunk"})

        @app.post("/chat/messages")
        async def messages(request: Request) -> Response:
            if request.headers.get("x-csrf-token") != TOKEN:
                return JSONResponse({"error": {"code": "csrf", "message": "No token.", "retryable": False}}, 403)
            if self.refusals:
                self.refusals -= 1
                error = {"code": "rate_limited", "message": "Too many messages at once. Wait a moment.", "retryable": True}
                return JSONResponse({"error": error}, 429)
            form = await form_fields(request)
            turn = self.add(form["message"], streaming=form.get("stream") == "on", model_group=form["model_group"])
            response = self.render("turn.html", turn=turn)
            response.headers["HX-Push-Url"] = "/c/one"
            response.headers["HX-Trigger"] = json.dumps({"conversation": {"id": "one", "title": "The way of a chunk"}})
            return response

        @app.get("/chat/turns/{turn_id}")
        async def answer(turn_id: str) -> Response:
            return self.render("answer.html", turn=self.turn(turn_id))

        @app.get("/chat/turns/{turn_id}/events")
        async def events(request: Request, turn_id: str, last_event_id: int = -1) -> Response:
            turn = self.turn(turn_id)
            after = int(request.headers.get("last-event-id", last_event_id))
            turn.connections.append(f"{'header' if 'last-event-id' in request.headers else 'query'}:{after}")
            connection = len(turn.connections) - 1
            if turn.script == "refuse" and connection == 1:
                return JSONResponse({"error": {"code": "shutting_down", "message": "Later.", "retryable": True}}, 503)
            return StreamingResponse(self.frames(turn, after, connection), media_type="text/event-stream")

        @app.post("/chat/turns/{turn_id}/stop")
        async def stop(turn_id: str) -> Response:
            self.turn(turn_id).state = "cancelled"
            return Response(status_code=204)

        @app.post("/chat/turns/{turn_id}/regenerate")
        async def regenerate(turn_id: str) -> Response:
            return self.render("answer.html", turn=self.add(f"Once more: {self.turn(turn_id).user_message}"))

        @app.get("/chat/turns/{turn_id}/timing")
        async def timing(turn_id: str) -> Response:
            turn = self.turn(turn_id)
            hops = turn.hops() + ([turn.browser] if turn.browser else [])
            return JSONResponse(
                {"state": turn.state, "streaming": turn.streaming, "ended_us": turn.ended_us, "hops": hops, "receipt": None}
            )

        @app.post("/chat/turns/{turn_id}/timing")
        async def browser_timing(turn_id: str, record: dict[str, Any]) -> Response:
            self.turn(turn_id).browser = record
            return Response(status_code=204)


@contextmanager
def serving(page: PageServer) -> Iterator[PageServer]:
    """Serves the page on a free port of 127.0.0.1 until the block ends."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(page.app, log_level="error", access_log=False, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    page.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        yield page
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
