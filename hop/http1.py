"""The response half of HTTP/1.1, bytes in and body bytes out, no I/O.

Strategy. A hop reads one thing above all: a chunked body whose chunks arrive one by one, each whole, each in a read of its own. That case
is a search for a line end, a number in base 16, and one slice. Everything else (chunks cut anywhere, several in a read, bodies with a
length, bodies that end with the connection, interim responses, trailers) goes through a buffer, a state at a time. A place in the buffer
moves over the elements that are whole, so that a read of many small chunks is not copied once for each of them.

Rules: RFC 9112, of which a client of our own servers and of model providers needs no more: no upgrades, no content codings (none is asked
for), and nothing that could be read in two ways is accepted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum, auto

MAX_HEAD_BYTES = 64 * 1024
_MAX_SIZE_LINE = 1024
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: .*)?")
_FIELDS = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*\r\n)*")
_HEX = re.compile(rb"[0-9A-Fa-f]{1,15}")


class BadResponse(ValueError):
    """The peer sent what is not a response of HTTP/1.1, or not one that was asked for. `body` is what came of it before that, unread."""

    body: bytes = b""


class CutResponse(ValueError):
    """The connection ended before the response did."""


class _State(Enum):
    HEAD = auto()
    SIZE = auto()  # at the beginning of a chunk
    DATA = auto()  # inside a chunk or a body with a length
    DATA_END = auto()  # at the line end behind a chunk's data
    TRAILERS = auto()
    UNTIL_CLOSE = auto()
    COMPLETE = auto()


class ResponseParser:
    """Reads one response. `status` and `headers` (names in lower case) are there once `has_head` is true."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.has_head = False
        self.complete = False
        self.keep_alive = False
        """Whether the connection may carry another request once this response is complete."""
        self._state = _State.HEAD
        self._buffer = b""
        self._at = 0
        """The place in the buffer up to which it has been read."""
        self._left = 0
        self._chunked = False

    def feed(self, data: bytes) -> bytes:
        """The body bytes among these. Raises BadResponse, also for bytes after the response's end."""
        if self._state is _State.SIZE and not self._buffer:
            digits = data.find(b"\r\n", 0, 16)
            size = len(data) - digits - 4  # what it says if these are one whole chunk, as most reads are
            if digits > 0 and size > 0 and data.startswith(b"%x\r\n" % size) and data.endswith(b"\r\n"):
                return data[digits + 2 : -2]
        self._buffer += data
        body: list[bytes] = []
        try:
            while self._at < len(self._buffer) and self._step(body):
                pass
        except BadResponse as error:
            error.body = b"".join(body)
            raise
        self.complete = self._state is _State.COMPLETE
        self._buffer, self._at = self._buffer[self._at :], 0
        return body[0] if len(body) == 1 else b"".join(body)

    def end(self) -> None:
        """The connection has ended. Raises CutResponse where the response had not."""
        if self._state is _State.UNTIL_CLOSE:
            self._state, self.complete = _State.COMPLETE, True
        elif self._state is not _State.COMPLETE:
            raise CutResponse("the connection ended before the response did")

    def _step(self, body: list[bytes]) -> bool:
        """Takes one element off the buffer, if it is whole; whether it was."""
        match self._state:
            case _State.HEAD:
                return self._head()
            case _State.SIZE:
                return self._size(body)
            case _State.DATA:
                part = self._buffer[self._at : self._at + self._left]
                self._at += len(part)
                self._left -= len(part)
                body.append(part)
                if not self._left:
                    self._state = _State.DATA_END if self._chunked else _State.COMPLETE
                return True
            case _State.DATA_END:
                line_end = self._buffer[self._at : self._at + 2]
                if line_end == b"\r":
                    return False
                if line_end != b"\r\n":
                    raise BadResponse("a chunk is longer than it says")
                self._at += 2
                self._state = _State.SIZE
                return True
            case _State.TRAILERS:
                line = self._line(MAX_HEAD_BYTES)
                if line == b"":
                    self._state = _State.COMPLETE
                return line is not None
            case _State.UNTIL_CLOSE:
                body.append(self._buffer[self._at :])
                self._at = len(self._buffer)
                return True
            case _State.COMPLETE:
                self.keep_alive = False
                raise BadResponse("there are bytes after the response")

    def _line(self, limit: int) -> bytes | None:
        begin, end = self._at, self._buffer.find(b"\r\n", self._at)
        if (len(self._buffer) if end < 0 else end) - begin > limit:
            raise BadResponse(f"a line is longer than {limit} bytes")
        if end < 0:
            return None
        self._at = end + 2
        return self._buffer[begin:end]

    def _size(self, body: list[bytes]) -> bool:
        line = self._line(_MAX_SIZE_LINE)
        if line is None:
            return False
        size = line.partition(b";")[0].rstrip(b" \t")  # extensions mean nothing to us
        if not _HEX.fullmatch(size):
            raise BadResponse("a chunk has no size")
        self._left = int(size, 16)
        end = self._at + self._left
        if self._left and self._buffer.startswith(b"\r\n", end):
            body.append(self._buffer[self._at : end])  # all of it is here, as it is wherever several came in one read
            self._at = end + 2
        else:
            self._state = _State.DATA if self._left else _State.TRAILERS
        return True

    def _head(self) -> bool:
        begin, end = self._at, self._buffer.find(b"\r\n\r\n", self._at)
        if (len(self._buffer) if end < 0 else end) - begin > MAX_HEAD_BYTES:
            raise BadResponse(f"the head is longer than {MAX_HEAD_BYTES} bytes")
        if end < 0:
            if not b"HTTP/1.".startswith(self._buffer[begin : begin + 7]):
                raise BadResponse("the response does not begin with HTTP/1.x")
            return False
        first, _, fields = self._buffer[begin : end + 2].partition(b"\r\n")
        self._at = end + 4
        status_line = _STATUS_LINE.fullmatch(first)
        if status_line is None:
            raise BadResponse("the response has no status line")
        self.status = int(status_line[2])
        if 100 <= self.status < 200:
            if self.status == 101:
                raise BadResponse("the peer switched protocols, which nobody asked for")
            return True  # an interim response: the real one follows
        self.headers = _fields(fields)
        self.has_head = True
        self._frame(http11=status_line[1] == b"1")
        return True

    def _frame(self, *, http11: bool) -> None:
        """Decides how the body ends (RFC 9112, section 6.3) and whether the connection outlives it."""
        connection = {token.strip().lower() for token in self.headers.get("connection", "").split(",")}
        self.keep_alive = http11 and "close" not in connection
        if self.headers.get("content-encoding", "identity").lower() != "identity":
            raise BadResponse("the response is compressed, which nobody asked for")
        coding, length = self.headers.get("transfer-encoding"), self.headers.get("content-length")
        if self.status in (204, 304):
            self._state = _State.COMPLETE
        elif coding is not None:
            if coding.strip().lower() != "chunked" or length is not None:
                raise BadResponse("the response's length is ambiguous")
            self._chunked, self._state = True, _State.SIZE
        elif length is not None:
            if not (length.isascii() and length.isdecimal() and len(length) <= 15):
                raise BadResponse("the response's length is not a number")
            self._left = int(length)
            self._state = _State.DATA if self._left else _State.COMPLETE
        else:
            self.keep_alive = False
            self._state = _State.UNTIL_CLOSE


def _fields(section: bytes) -> dict[str, str]:
    """The header fields of a section whose every line has its end; those of one name are joined."""
    if not _FIELDS.fullmatch(section):
        raise BadResponse("a header field is malformed")
    headers: dict[str, str] = {}
    for line in section.decode("latin-1").split("\r\n")[:-1]:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
