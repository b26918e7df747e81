"""A bound on the head of a request, in bytes and in seconds, for a server's HTTP protocol that has none.

A mixin: `class Protocol(BoundedHeads, HttpToolsProtocol)`. It looks at incoming data, which is requests alone. A timer runs only while a
connection is new or in the middle of a head. Between two requests, the server's own keep-alive limit applies.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from wire.errors import ErrorCode, WireError

if TYPE_CHECKING:

    class _Parsed(asyncio.Protocol):
        """What is needed of the protocol below: its parser's callbacks, and what it knows of the current request."""

        transport: asyncio.Transport
        loop: asyncio.AbstractEventLoop
        cycle: Any
        url: bytes
        headers: list[tuple[bytes, bytes]]

        def on_message_begin(self) -> None: ...
        def on_headers_complete(self) -> None: ...
        def send_400_response(self, msg: str) -> None: ...
else:
    _Parsed = asyncio.Protocol

MAX_HEAD_BYTES = 64 * 1024
HEAD_TIMEOUT_S = 20.0

_BETWEEN = len(": \r\n")
"""What a header's line has besides its name and its value."""


class BoundedHeads(_Parsed):
    """Answers 431 and closes if a head is over `max_head_bytes`, and 400 if it is no HTTP, both in our own form.

    Closes if a whole head has not come within `head_timeout_s`.
    """

    max_head_bytes = MAX_HEAD_BYTES
    head_timeout_s = HEAD_TIMEOUT_S

    _in_head = False
    _first_read = _later_reads = 0
    """Bytes in the read that began the head (some may belong to the request before it), and bytes read since."""
    _too_large = False
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # a stream's, as for every Protocol
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._later_reads += len(data)
        else:
            self._first_read, self._later_reads = len(data), 0
        super().data_received(data)
        if self._in_head and self._later_reads > self.max_head_bytes:
            self._refuse_size()
        elif self._timer is None and (self._in_head or self._is_answered()):
            self._start_timer()

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_timer()
        if self._first_read + self._later_reads > self.max_head_bytes and self._size() > self.max_head_bytes:
            self._too_large = True
            raise ValueError("the request's head is too large")  # the parser reports it as a fault in the request
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        if self._too_large:
            self._refuse_size()
        else:
            begun = not self._is_answered() and bool(self.cycle.response_started)
            self._refuse(b"400 Bad Request", "This is not a request of HTTP/1.1.", instead=not begun)

    def _size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + _BETWEEN for name, value in self.headers)

    def _is_answered(self) -> bool:
        """Whether no request is being served. Data that comes then ends the server's wait for the next request, but may not begin one."""
        return self.cycle is None or bool(self.cycle.response_complete)

    def _refuse_size(self) -> None:
        message = f"The request's head is over the limit of {self.max_head_bytes} bytes."
        self._refuse(b"431 Request Header Fields Too Large", message, instead=self._is_answered())

    def _refuse(self, status: bytes, message: str, *, instead: bool) -> None:
        """Ends the connection. `instead`: with this answer, because no other one has begun."""
        if instead and not self.transport.is_closing():
            body = WireError(ErrorCode.INVALID_REQUEST, message).to_body()
            self.transport.write(
                b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
                % (status, len(body), body)
            )
        self.transport.close()

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(self.head_timeout_s, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
