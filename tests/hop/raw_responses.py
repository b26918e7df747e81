"""HTTP/1.1 responses as bytes: valid ones with what they mean, and invalid ones."""

from __future__ import annotations

from dataclasses import dataclass

from hop.http1 import MAX_HEAD_BYTES

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Whole:
    """A response's bytes, and what they mean."""

    name: str
    raw: bytes
    body: bytes
    status: int = 200
    keep_alive: bool = True


WHOLES = [
    Whole("chunked", CHUNKED + b"5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n", b"hello world"),
    Whole("sizes in lower case", CHUNKED + b"1a\r\n" + b"x" * 26 + b"\r\n0\r\n\r\n", b"x" * 26),
    Whole("sizes in upper case, with zeros before", CHUNKED + b"001A\r\n" + b"x" * 26 + b"\r\n000\r\n\r\n", b"x" * 26),
    Whole("extensions", CHUNKED + b'5;a=b;c="d"\r\nhello\r\n3 ;x\r\nyou\r\n0;last\r\n\r\n', b"helloyou"),
    Whole("trailers", CHUNKED + b"5\r\nhello\r\n0\r\nX-Sum: 5\r\nX-More: 6\r\n\r\n", b"hello"),
    Whole("chunks that look like framing", CHUNKED + b"7\r\n\r\n0\r\n\r\n\r\n4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n0\r\n\r\n\r\n\r\n"),
    Whole("chunked, empty", CHUNKED + b"0\r\n\r\n", b""),
    Whole("a coding in capitals", OK + b"TRANSFER-ENCODING:  Chunked \r\n\r\n2\r\nok\r\n0\r\n\r\n", b"ok"),
    Whole("a length", OK + b"Content-Length: 11\r\n\r\nhello world", b"hello world"),
    Whole("a length of zero", OK + b"Content-Length: 0\r\n\r\n", b""),
    Whole("a length in HTTP/1.0", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok", keep_alive=False),
    Whole("no reason and no space", b"HTTP/1.1 429\r\nContent-Length: 2\r\n\r\nno", b"no", 429),
    Whole("an empty reason", b"HTTP/1.1 502 \r\nContent-Length: 2\r\n\r\nno", b"no", 502),
    Whole("a close", OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok", b"ok", keep_alive=False),
    Whole("a close among others", OK + b"Connection: x, Close\r\nContent-Length: 2\r\n\r\nok", b"ok", keep_alive=False),
    Whole("a keep-alive", OK + b"Connection: keep-alive\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    Whole("no content", b"HTTP/1.1 204 No Content\r\n\r\n", b"", 204),
    Whole("not modified, which tells the length of what it does not send", b"HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n", b"", 304),
    Whole("identity", OK + b"Content-Encoding: identity\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    *(
        Whole(f"an encoding that is none: {name.decode()!r}", OK + b"Content-Encoding: %b\r\nContent-Length: 2\r\n\r\nok" % name, b"ok")
        for name in (b"", b"none", b"utf-8", b"UTF-8, identity", b"aws-chunked", b"8bit", b"binary", b"chunked", b"gzipped;q=0", b" , ")
    ),
    Whole("a compressed error", b"HTTP/1.1 429 X\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b", b"\x1f\x8b", 429),
    Whole("a size with blanks behind it", CHUNKED + b"5  \r\nhello\r\n0 \r\n\r\n", b"hello"),
    Whole("a body that looks like a response", CHUNKED + b"11\r\nHTTP/1.1 200 OK\r\n\r\n0\r\n\r\n", OK),
    Whole(
        "interim responses",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\n" + CHUNKED + b"2\r\nok\r\n0\r\n\r\n",
        b"ok",
    ),
]
"""Responses that say where they end."""

UNTIL_CLOSE = Whole("until close", OK + b"Content-Type: text/plain\r\n\r\nhello\r\n\r\nworld", b"hello\r\n\r\nworld", keep_alive=False)

BAD = {
    "no HTTP": b"SSH-2.0-OpenSSH_9\r\n",
    "another HTTP": b"HTTP/2 200\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "a status below 100": b"HTTP/1.1 099 OK\r\n\r\n",
    "a switch of protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
    "a header without a colon": OK + b"Content-Length\r\n\r\n",
    "a header without a name": OK + b": 5\r\n\r\n",
    "a space before the colon": OK + b"Content-Length : 5\r\n\r\n",
    "a folded header": OK + b"X-A: 1\r\n 2\r\n\r\n",
    "a line end within a value": OK + b"X-A: 1\nContent-Length: 0\r\n\r\n",
    "a carriage return within a value": OK + b"X-A: 1\rContent-Length: 0\r\n\r\n",
    "a zero byte within a value": OK + b"X-A: 1\0\r\n\r\n",
    "compression": OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\n",
    "a length and chunks": OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunks and a length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
    "another coding": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    "chunked twice": OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "two lengths": OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
    "a length that is no number": OK + b"Content-Length: five\r\n\r\n",
    "a length with a sign": OK + b"Content-Length: +5\r\n\r\n",
    "an empty length": OK + b"Content-Length:\r\n\r\n",
    "a length beyond 64 bits": OK + b"Content-Length: 99999999999999999999\r\n\r\n",
    "a length in other digits": OK + b"Content-Length: \xb2\r\n\r\n",
    "a size that is no number": CHUNKED + b"xyz\r\n",
    "a size with a prefix": CHUNKED + b"0x5\r\nhello\r\n",
    "a size with a sign": CHUNKED + b"-5\r\nhello\r\n",
    "an empty size": CHUNKED + b"\r\nhello\r\n",
    "a size beyond 64 bits": CHUNKED + b"f" * 17 + b"\r\n",
    "an endless line of a size": CHUNKED + b"5;" + b"x" * (MAX_HEAD_BYTES + 1),
    "a chunk longer than it says": CHUNKED + b"5\r\nhello!\r\n0\r\n\r\n",
    "a chunk that ends with another line end": CHUNKED + b"5\r\nhello\n\r0\r\n\r\n",
    "a chunk shorter than it says": CHUNKED + b"6\r\nhello\r\n0\r\n\r\n",
    "an endless head": OK + b"X-A: 1\r\n" * (MAX_HEAD_BYTES // 8 + 1),
    "a head that is too long": OK + b"X-A: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n",
    "an endless trailer": CHUNKED + b"0\r\nX-A: " + b"x" * (MAX_HEAD_BYTES + 1),
    "endless trailers": CHUNKED + b"0\r\n" + b"X-A: 1\r\n" * (MAX_HEAD_BYTES // 7 + 1),
    "endless interim responses": b"HTTP/1.1 100 Continue\r\n\r\n" * (MAX_HEAD_BYTES // 25 + 2),
    "chunks in HTTP/1.0, which knows none": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunks said to be none": OK + b"Transfer-Encoding: identity\r\n\r\n",
    "chunked, but not last": OK + b"Transfer-Encoding: chunked, gzip\r\n\r\n",
    "two lengths that differ": OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "two lengths in one field": OK + b"Content-Length: 5, 5\r\n\r\n",
    "another protocol of the same form": b"RTSP/1.0 200 OK\r\n\r\n",
    "another protocol behind an interim response": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/2.0 200 OK\r\n\r\n",
    "a lone line feed in the head": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "a lone line feed in chunks": CHUNKED + b"2\nok\n0\n\n",
    "compression in a success that is no 200": b"HTTP/1.1 201 X\r\nContent-Encoding: zstd\r\nContent-Length: 5\r\n\r\n",
    "compression with a parameter": OK + b"Content-Encoding: gzip;level=9\r\nContent-Length: 5\r\n\r\n",
    "compression in quotes": OK + b'Content-Encoding: "gzip"\r\nContent-Length: 5\r\n\r\n',
    "compression among others": OK + b"Content-Encoding: identity, BR\r\nContent-Length: 5\r\n\r\n",
    "bytes after chunks": CHUNKED + b"2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n",
    "bytes after a length": OK + b"Content-Length: 2\r\n\r\nok!",
    "bytes after no content": b"HTTP/1.1 204 No Content\r\n\r\n!",
}
