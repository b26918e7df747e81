"""The response half of HTTP/1.1: bytes in, body bytes out, no I/O.

Strategy. httptools (Node's llhttp, in C) reads the bytes. It hands each piece of the body straight to a list, and `feed` returns what the
list holds, so a chunk that comes alone leaves alone. The code here looks at each head once: how the body ends, and whether the connection
may carry another request. The rules are those of RFC 9112. A head is refused if two parsers could disagree about where its body ends.

The parser and httptools' object refer to each other. This cycle lasts from a response's first byte to its end and is then broken, so no
garbage is left.
"""

from __future__ import annotations

from collections.abc import Mapping

from httptools import HttpParserError, HttpResponseParser

MAX_HEAD_BYTES = 64 * 1024
"""The most bytes that may come in a row without any of the body: a head, a chunk's size line, trailers."""
_BEGINNING = b"HTTP/1."
_CODINGS = frozenset(
    "aes128gcm br bzip2 compress dcb dcz deflate exi gzip lzma pack200-gzip x-bzip2 x-compress x-gzip xz zstd".split()  # RFC 9110, 16.6
)


class BadResponse(ValueError):
    """The peer sent something that is no HTTP/1.1 response, or one that nobody asked for. `body` holds the body bytes before it."""

    body: bytes = b""


class CutResponse(ValueError):
    """The connection ended before the response did."""


def is_encoded(headers: Mapping[str, str]) -> bool:
    """Whether the body is compressed or encrypted. `none`, `utf-8` and the like, which some servers write, change nothing."""
    named = headers.get("content-encoding", "").split(",")
    return any(coding.partition(";")[0].strip(' \t"').lower() in _CODINGS for coding in named)


def is_unreadable(status: int, headers: Mapping[str, str]) -> bool:
    """Whether this is an answer in an encoding that nobody asked for. An error counts by its status, whatever its body is."""
    return status < 300 and is_encoded(headers)


class ResponseParser:
    """Reads one response. `status` and `headers` (names in lower case) are there once `has_head` is true."""

    __slots__ = (
        "_beginning",
        "_beside",
        "_body",
        "_machine",
        "_over",
        "_until_close",
        "complete",
        "has_head",
        "headers",
        "keep_alive",
        "on_body",
        "status",
    )

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.has_head = False
        self.complete = False
        self.keep_alive = False
        """Whether the connection may carry another request once this response is complete."""
        self._beginning = b""
        self._beside = 0
        """How many bytes have come since the last piece of the body."""
        self._until_close = False
        self._body: list[bytes] = []
        self.on_body = self._body.append
        self._machine: HttpResponseParser | None = None
        self._over = False

    @property
    def begun(self) -> bool:
        """Whether a byte of the response has come."""
        return bool(self._beginning)

    def feed(self, data: bytes) -> bytes:
        """The body bytes in this data. Raises BadResponse, even for bytes after the response's end."""
        machine = self._machine
        if machine is None:
            if self._over:
                if not data:
                    return b""
                raise self._refused("there are bytes after the response")
            machine = self._start()
        if not self.has_head:
            self._begin(data)
        try:
            machine.feed_data(data)
        except HttpParserError as error:
            raise self._refused(error) from None
        if self.complete:
            self._stop()
        body = self._body
        if not body:
            self._beside += len(data)
            if self._beside > MAX_HEAD_BYTES + 4 and not self.complete:  # a head's last line end does not count
                raise self._refused(f"{MAX_HEAD_BYTES} bytes came without a piece of the body")
            return b""
        self._beside = 0
        if len(body) == 1:
            return body.pop()
        piece = b"".join(body)
        body.clear()
        return piece

    def end(self) -> None:
        """Tells the parser that the connection has ended. Raises CutResponse if the response had not."""
        self._stop()
        if self._until_close:
            self.complete = True
        if not self.complete:
            raise CutResponse("the connection ended before the response did")

    def _start(self) -> HttpResponseParser:
        self._machine = HttpResponseParser(self)
        self._machine.set_dangerous_leniencies(lenient_spaces_after_chunk_size=True)  # RFC 9112, 7.1.1: a client must read them
        return self._machine

    def _stop(self) -> None:
        self._machine, self._over = None, True

    def _begin(self, data: bytes) -> None:
        """Refuses a peer of another protocol by its first bytes. (httptools would skip empty lines, and accept RTSP.)"""
        if len(self._beginning) < len(_BEGINNING):
            self._beginning = (self._beginning + data)[: len(_BEGINNING)]
            if not _BEGINNING.startswith(self._beginning):
                raise self._refused("the response does not begin with HTTP/1.x")

    def _refused(self, reason: str | HttpParserError) -> BadResponse:
        """The error to raise. The parser reads nothing after it."""
        cause = reason.__context__ if isinstance(reason, HttpParserError) else None
        refusal = cause if isinstance(cause, BadResponse) else BadResponse(str(reason))
        refusal.body = b"".join(self._body)
        self._body.clear()
        self._stop()
        self.complete = self.keep_alive = self._until_close = False
        return refusal

    # -- called by httptools -------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.complete:
            raise BadResponse("there are bytes after the response")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._beside += len(name) + len(value) + 4
        if self._beside > MAX_HEAD_BYTES:
            raise BadResponse(f"the head is longer than {MAX_HEAD_BYTES} bytes")
        if self.has_head:
            return  # a trailer
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        assert self._machine is not None  # noqa: S101  # it is the caller
        self.status = self._machine.get_status_code()
        version = self._machine.get_http_version()
        if self.status < 100 or version not in ("1.0", "1.1"):
            raise BadResponse("the response has no status line of HTTP/1.1")
        if self.status == 101:
            raise BadResponse("the peer switched protocols, which nobody asked for")
        if self.status < 200:
            self.headers = {}  # an interim response: the real one follows
            return
        if is_unreadable(self.status, self.headers):
            raise BadResponse("the response is compressed, which nobody asked for")
        self.has_head = True
        self._frame(http11=version == "1.1")

    def on_message_complete(self) -> None:
        self.complete = self.has_head

    def _frame(self, *, http11: bool) -> None:
        """Decides how the body ends (RFC 9112, section 6.3) and whether the connection outlives it."""
        coding = self.headers.get("transfer-encoding")
        if coding is not None and (coding.lower() != "chunked" or not http11):
            raise BadResponse("the response's length is ambiguous")
        self._until_close = coding is None and "content-length" not in self.headers and self.status not in (204, 304)
        connection = {token.strip().lower() for token in self.headers.get("connection", "").split(",")}
        self.keep_alive = http11 and not self._until_close and "close" not in connection
