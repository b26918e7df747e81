"""The hop, outward: a turn's log as a response. The way itself is `hop.relay.relay`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from client_server.turn import Turn
from hop.relay import relay


class TurnStream(Response):
    """The frames of a turn from `index` on, to the end. `close` is called when the reader is gone, however it went."""

    def __init__(
        self, turn: Turn, index: int, *, close: Callable[[], None], headers: Mapping[str, str] | None = None, preface: bytes = b""
    ) -> None:
        self.status_code = 200
        self.background = None
        self.body = b""
        self._turn = turn
        self._index = index
        self._close = close
        self._preface = preface
        self.raw_headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in (headers or {}).items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        turn = self._turn
        try:
            await relay(
                turn.log,
                self._index,
                receive,
                send,
                write=scope["state"]["write"],
                headers=self.raw_headers,
                marks=turn.marks,
                preface=self._preface,
            )
        finally:
            self._close()
