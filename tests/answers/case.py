"""What a case of the table is, and the pieces that its bytes are made of."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any


class End(Enum):
    """What the provider does after its last byte."""

    CLOSES = auto()  # a body without a length
    ENDS = auto()  # the last chunk of HTTP
    CUTS = auto()  # the connection ends before the last chunk of HTTP
    RESETS = auto()
    IS_SILENT = auto()
    COMMENTS = auto()  # forever


@dataclass(frozen=True)
class Case:
    """The bytes of an answer, and what must be read in them."""

    kind: str
    name: str
    body: bytes
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    """Name and arguments of each tool call."""
    error: str | None = None
    """The code with which it fails; None if it finishes."""
    finish_reason: str | None = "stop"
    usage: tuple[int, int] | None = (7, 3)
    """Prompt and completion tokens; None if the provider tells none that can be believed."""
    first_token: int | None = 0
    """The index of the first token's chunk among those that are handed on."""
    chunks: int | None = None
    """How many chunks are handed on, if that matters."""
    end: End = End.ENDS
    status: str = "200 OK"
    headers: tuple[str, ...] = ("Content-Type: text/event-stream",)
    asked: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"{self.kind}: {self.name}"


def data(value: Any) -> bytes:
    return b"data: %b\n\n" % (value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def chunk(delta: Any, **choice: Any) -> bytes:
    """A chunk with this delta. What else is given stands in its choice."""
    return data({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, **choice}]})


def t(text: Any) -> bytes:
    return chunk({"content": text})


def beside(**fields: Any) -> bytes:
    """An object without an answer."""
    return data(fields)


def stop(reason: Any = "stop", **choice: Any) -> bytes:
    return chunk({}, finish_reason=reason, **choice)


def usage(prompt: Any = 7, completion: Any = 3, **more: Any) -> bytes:
    return data({"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion, **more}})


def crlf(body: bytes, end: bytes = b"\r\n") -> bytes:
    return body.replace(b"\n", end)


TOLD = {"prompt_tokens": 7, "completion_tokens": 3}
ROLE = chunk({"role": "assistant", "content": ""})
STOP = stop()
USAGE = usage()
DONE = b"data: [DONE]\n\n"
END = STOP + USAGE + DONE
AB = t("a") + t("b")
MESSAGE = {"role": "assistant", "content": "ab"}


def completion(message: Any = MESSAGE, finish_reason: Any = "stop", **fields: Any) -> bytes:
    """A whole answer, as it comes when no stream was asked for."""
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    told = {
        "id": "c1",
        "object": "chat.completion",
        "model": "m",
        "choices": [choice],
        "usage": TOLD,
    }
    return json.dumps(told | fields).encode()


def sse_event(name: str, value: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), value)


def of(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, **fields}
