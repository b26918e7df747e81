"""A provider that floods its client, in a thread of its own: the last message of a request says how.

comments        64 MiB of comments, and the end of the body
line            a line of a gigabyte, as far as the client reads it
frames          100,000 chunks in one write, and the end
nested          a chunk whose delta is nested 100,000 deep, then a usual one and the end
gzip            ten gigabytes of zeros, compressed to ten megabytes
head            a head without an end
whole           one JSON object of a gigabyte, as far as the client reads it
"""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager

from tests.support.listening import listening

MIB = 1024 * 1024
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n"
END = b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'


def chunk(delta: str) -> bytes:
    return b'data: {"choices": [{"index": 0, "delta": {"content": %b}}]}\n\n' % json.dumps(delta).encode()


def answer(kind: str) -> Iterator[bytes]:
    """The bytes of an answer, piece by piece."""
    if kind == "gzip":
        bomb = gzip.compress(bytes(10 * MIB), 9)
        yield HEAD + b"Content-Encoding: gzip\r\n\r\n"
        yield from [bomb] * 1000
        return
    if kind == "head":
        yield HEAD
        yield from [b"X-More: " + b"m" * 1000 + b"\r\n"] * 10_000
        return
    yield HEAD + b"\r\n"
    match kind:
        case "comments":
            yield from [(b": " + b"c" * 100 + b"\n\n") * 10_000] * 64
        case "line":
            yield b"data: "
            yield from [b"l" * MIB] * 1024
        case "frames":
            yield chunk("x") * 100_000 + END
        case "nested":
            yield b'data: {"choices": %b}\n\n' % (b"[" * 100_000 + b"]" * 100_000) + chunk("there") + END
        case "whole":
            yield b'{"choices": "'
            yield from [b"w" * MIB] * 1024


def _serve(connection: socket.socket) -> None:
    held = b""
    while b"\r\n\r\n" not in held:
        if not (read := connection.recv(65536)):
            return
        held += read
    head, _, body = held.partition(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
    while len(body) < length:
        if not (read := connection.recv(65536)):
            return
        body += read
    for piece in answer(json.loads(body)["messages"][-1]["content"]):
        connection.sendall(piece)


def flooding() -> AbstractContextManager[str]:
    """The `api_base` of such a provider."""
    return listening(_serve)
