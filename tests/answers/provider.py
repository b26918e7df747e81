"""A provider that answers with the bytes of a case: the request's last message is its id."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager

from tests.answers.cases import Case, End
from tests.support.listening import listening

_SILENCE_S = 8.0
_COMMENT_EVERY_S = 0.2


def _asked(connection: socket.socket) -> str:
    """The last message of the request. Raises ConnectionError if none comes."""
    held = b""
    while b"\r\n\r\n" not in held or len(held.partition(b"\r\n\r\n")[2]) < _length(held):
        if not (read := connection.recv(65536)):
            raise ConnectionError
        held += read
    message: str = json.loads(held.partition(b"\r\n\r\n")[2])["messages"][-1]["content"]
    return message


def _length(held: bytes) -> int:
    lines = held.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
    return next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:"))


def _answer(connection: socket.socket, case: Case) -> None:
    chunked = case.end is not End.CLOSES
    fields = [*case.headers, "Transfer-Encoding: chunked" if chunked else "Connection: close"]
    connection.sendall("\r\n".join([f"HTTP/1.1 {case.status}", *fields]).encode() + b"\r\n\r\n")
    if case.body:
        connection.sendall(_piece(case.body) if chunked else case.body)
    match case.end:
        case End.ENDS:
            connection.sendall(b"0\r\n\r\n")
        case End.RESETS:
            time.sleep(0.05)  # what was sent is read before the reset
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        case End.IS_SILENT:
            connection.settimeout(_SILENCE_S)
            connection.recv(1)
        case End.COMMENTS:
            for _ in range(int(_SILENCE_S / _COMMENT_EVERY_S)):
                time.sleep(_COMMENT_EVERY_S)
                connection.sendall(_piece(b": still here\n\n"))
        case End.CLOSES | End.CUTS:
            pass


def _piece(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def answering(cases: Mapping[str, Case]) -> AbstractContextManager[str]:
    """The `api_base` of such a provider. Each connection carries one answer."""
    return listening(lambda connection: _answer(connection, cases[_asked(connection)]))
