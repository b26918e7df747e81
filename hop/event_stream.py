"""A stream's log as an HTTP response: the one event stream that every server of ours sends.

The relay (`hop.relay`) knows nothing of HTTP. This file gives it a sink that speaks ASGI, and gives a route a response to return.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hop.relay import PING_AFTER_S, SEND_TIMEOUT_S, Translate, relay
from wire.log import StreamLog
from wire.sse import PING
from wire.timing import HopMarks

Headers = list[tuple[bytes, bytes]]

STREAM_HEADERS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]
"""What every event stream says to the proxies around it."""


class EventStream(Response):
    """Follows a log from `index` on, to the end.

    `marks` are told of every departure. `headers` are added to those of every event stream. `preface` is written with the response's head,
    before any frame. `translate` turns frames into another dialect. `closed` is called when the reader has gone, for whatever reason.
    """

    def __init__(
        self,
        log: StreamLog,
        index: int = 0,
        *,
        marks: HopMarks | None = None,
        headers: Mapping[str, str] | None = None,
        preface: bytes = b"",
        translate: Translate | None = None,
        closed: Callable[[], None] | None = None,
        ping_after_s: float = PING_AFTER_S,
        send_timeout_s: float = SEND_TIMEOUT_S,
        ping: bytes = PING,
    ) -> None:
        self.status_code = 200
        self.background = None
        self.body = b""
        own = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in (headers or {}).items()]
        self.raw_headers = STREAM_HEADERS + own
        self._log = log
        self._index = index
        self._marks = marks
        self._preface = preface
        self._translate = translate
        self._closed = closed
        self._ping_after_s = ping_after_s
        self._send_timeout_s = send_timeout_s
        self._ping = ping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sink = HttpSink(receive, send, self.raw_headers, self._preface)
        try:
            await relay(
                self._log,
                self._index,
                sink,
                marks=self._marks,
                translate=self._translate,
                ping_after_s=self._ping_after_s,
                send_timeout_s=self._send_timeout_s,
                ping=self._ping,
            )
        finally:
            if self._closed is not None:
                self._closed()


class HttpSink:
    """A reader at the other end of an HTTP response (`hop.relay.Sink`), over ASGI."""

    __slots__ = ("_headers", "_preface", "_receive", "_send")

    def __init__(self, receive: Receive, send: Send, headers: Headers, preface: bytes = b"") -> None:
        self._receive = receive
        self._send = send
        self._headers = headers
        self._preface = preface

    async def begin(self) -> None:
        await self._send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await self.write(self._preface)  # an empty body flushes the head

    def write(self, data: bytes) -> Awaitable[None]:
        send = self._send  # CPython calls what it finds in an instance slowly if it looks like a method call
        return send({"type": "http.response.body", "body": data, "more_body": True})

    def finish(self, data: bytes) -> Awaitable[None]:
        return self._send({"type": "http.response.body", "body": data, "more_body": False})

    async def left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
