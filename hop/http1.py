"""The response half of HTTP/1.1, bytes in and body bytes out, no I/O.

Strategy. httptools (llhttp, the parser that the servers use too) reads the bytes. It calls back while it is fed, so that the body bytes
of one read are there when `feed` returns. On top stands what RFC 9112 demands and llhttp lets pass, once per head: nothing that two
parsers could read in two ways is accepted, no upgrade, and no content coding, since none is asked for. One count bounds everything
that is not body: heads, interim responses, chunk sizes with their extensions, trailers.
"""

from __future__ import annotations

from collections.abc import Mapping

import httptools

MAX_HEAD_BYTES = 64 * 1024
_BEGINNING = b"HTTP/1."
_MAX_LENGTH_DIGITS = 15
_WITHOUT_BODY = (204, 304)
_BETWEEN = len(": \r\n")
"""What a header's line has besides its name and its value."""
_CODINGS = frozenset("gzip x-gzip deflate compress x-compress br zstd dcb dcz".split())
"""Content codings that change the body; what is none of these encodes nothing (https://www.iana.org/assignments/http-parameters)."""


class BadResponse(ValueError):
    """The peer sent what is not a response of HTTP/1.1, or not one that was asked for. `body` is what came of it before that, unread."""

    body: bytes = b""


class CutResponse(ValueError):
    """The connection ended before the response did."""


class ResponseParser:
    """Reads one response. `status` and `headers` (names in lower case) are there once `has_head` is true."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.has_head = False
        self.complete = False
        self.keep_alive = False
        """Whether the connection may carry another request once this response is complete."""
        self._parser: httptools.HttpResponseParser | None = None
        """From the first byte to the last: it refers to this object, and a cycle would wait for the collector."""
        self._over = False
        self._beginning = b""
        self._fields: dict[str, str] = {}
        self._body: list[bytes] = []
        self._head_bytes = 0
        """The size of all header fields so far, those of interim responses and trailers included."""
        self._unproductive = 0
        """How many bytes came since the last that were body."""
        self._until_close = False

    def feed(self, data: bytes) -> bytes:
        """The body bytes among these. Raises BadResponse, also for bytes after the response's end."""
        if not data:
            return b""
        try:
            if self._over:
                raise BadResponse("there are bytes after the response")
            parser = self._parser
            if parser is None:
                parser = self._parser = httptools.HttpResponseParser(self)
            if len(self._beginning) < len(_BEGINNING):
                self._check_beginning(data)
            parser.feed_data(data)
            if not self._body and not self.complete:
                self._count_unproductive(len(data))
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, BadResponse) as error:
            raise self._refused(error) from None
        body = self._body
        if self.complete:
            self._close()
        if not body:
            return b""
        self._unproductive = 0
        self._body = []
        return body[0] if len(body) == 1 else b"".join(body)

    def end(self) -> None:
        """The connection has ended. Raises CutResponse where the response had not."""
        self._close()
        if self._until_close:
            self.complete = True
        elif not self.complete:
            raise CutResponse("the connection ended before the response did")

    def _close(self) -> None:
        self._over = True
        self._parser = None

    # -- called by httptools --------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.complete:
            raise BadResponse("there are bytes after the response")
        self._fields = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value) + _BETWEEN
        if self._head_bytes > MAX_HEAD_BYTES:
            raise BadResponse(f"the head is longer than {MAX_HEAD_BYTES} bytes")
        if self.has_head:
            return  # a trailer, which nobody reads
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")
        self._fields[key] = f"{self._fields[key]}, {text}" if key in self._fields else text

    def on_headers_complete(self) -> None:
        parser = self._parser
        if parser is None:
            return
        version, status = parser.get_http_version(), parser.get_status_code()
        if version not in ("1.0", "1.1") or not 100 <= status <= 999:
            raise BadResponse("the response has no status line of HTTP/1.x")
        if status < 200:
            if status == 101:
                raise BadResponse("the peer switched protocols, which nobody asked for")
            return  # an interim response: the real one follows
        self.status, self.headers, self.has_head = status, self._fields, True
        self._check_framing(http11=version == "1.1")

    def on_body(self, body: bytes) -> None:
        if self.complete:
            raise BadResponse("there are bytes after the response")
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self.has_head and not self._until_close:
            self.complete = True

    # -- what is checked on top -----------------------------------------------------------------------------------------

    def _check_beginning(self, data: bytes) -> None:
        """llhttp takes other protocols of the same form too. A peer of those is not waited for."""
        self._beginning += data[: len(_BEGINNING) - len(self._beginning)]
        if not _BEGINNING.startswith(self._beginning):
            raise BadResponse("the response does not begin with HTTP/1.x")

    def _check_framing(self, *, http11: bool) -> None:
        """Whether it is clear how the body ends (RFC 9112, section 6.3), and whether the connection outlives it."""
        headers = self.headers
        connection = {token.strip().lower() for token in headers.get("connection", "").split(",")}
        self.keep_alive = http11 and "close" not in connection
        if any(coding.strip().lower() in _CODINGS for coding in headers.get("content-encoding", "").split(",")):
            raise BadResponse("the response is compressed, which nobody asked for")
        coding, length = headers.get("transfer-encoding"), headers.get("content-length")
        if self.status in _WITHOUT_BODY:
            self.complete = True
        elif coding is not None:
            if coding.strip().lower() != "chunked" or length is not None or not http11:
                raise BadResponse("the response's length is ambiguous")
        elif length is not None:
            if not (length.isascii() and length.isdecimal() and len(length) <= _MAX_LENGTH_DIGITS):
                raise BadResponse("the response's length is not a number")
        else:
            self.keep_alive = False
            self._until_close = True

    def _count_unproductive(self, size: int) -> None:
        self._unproductive += size
        if self._unproductive > MAX_HEAD_BYTES + len("\r\n\r\n"):
            raise BadResponse(f"more than {MAX_HEAD_BYTES} bytes came that are no body")

    def _refused(self, error: Exception) -> BadResponse:
        """What is wrong, in our own words where we found it; with the body bytes that came before."""
        cause = error.__context__ if isinstance(error, httptools.HttpParserCallbackError) else error
        self.keep_alive = False
        self._close()
        refusal = cause if isinstance(cause, BadResponse) else BadResponse(f"the response is not valid HTTP: {error}")
        refusal.body = b"".join(self._body)
        self._body = []
        return refusal
