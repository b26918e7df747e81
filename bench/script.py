"""The answers of the scripted provider: the request is the script, and the answer is a generator of steps.

Strategy. Nothing here touches a socket. A step is a frame to write, a time to wait for (in seconds since the answer began), or a break.
The code that plays the steps decides how the bytes leave. So every misbehaviour is a few lines in one place. Only the stamp reads a
clock, and it does so when its chunk is due, not before.

The last message is "CHUNKS GAP_MS TTFT_MS"; any other text means 20 5 20. The text after the last `+` in `model` is the behaviour:

    text            words, some beyond ASCII; `expected_text(n)` is the text of n chunks
    stamp           every chunk holds " @NS@": the CLOCK_MONOTONIC at which it was written
    echo            the last message itself, eight characters a chunk
    tools           one tool call, its arguments (TOOL_ARGUMENTS) in fragments, its id on the first only
    json            a JSON object (JSON_ANSWER) in fragments
    status-NNN      an error status; 429 and 503 with `Retry-After: 1`
    out-of-quota    429 too, but the error's type says that the account is used up
    flaky-2         503 for the first two requests of the same `user`, then text
    hang            never answers
    stall           ten chunks, then silence
    drop            ten chunks, then the socket closes inside an HTTP chunk
    no-done         all chunks, then a clean end of the body without a finish reason and without [DONE]
    error-frame     ten chunks, then {"error": ...}, then the end of the body
    bad-json        ten chunks, a frame that is not JSON, then the rest
    crlf            CRLF line ends, with comments, ids and retry fields between the chunks
    split           each byte of the body in its own TCP segment
    big-frame       one delta of 2 MiB
    null-usage      `usage: null` on each chunk and a chunk without choices in the middle
    markdown        Markdown that is hard to render: the message is a length and a name of `bench.hostile_markdown`
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from bench.hostile_markdown import CONSTRUCTS

_WORDS = "Every chunk, however small – naïve, „quoted“ or *starred* – leaves at once: Δt ≈ 0 ms, 速い, ⚡, 👩‍💻.".split(" ")
TOOL_NAME = "get_forecast"
TOOL_ARGUMENTS = '{"city": "Reykjavík", "days": 3}'
JSON_ANSWER = '{"name": "Ada Lovelace", "born": 1815, "fields": ["mathematics", "computing"]}'
BIG_DELTA = "x" * (2 * 1024 * 1024)
PROVIDER_DETAIL = "scripted-provider-detail"
"""Part of every error body. It stands for a provider's own text, which no client of ours may ever see."""

_BREAK_AFTER = 10
_PIECE = 8
_LARGE_PIECE = 1000


def word(index: int) -> str:
    """The text of chunk `index` of a `text` answer."""
    return _WORDS[index % len(_WORDS)] + ("\n\n" if index % 23 == 22 else " ")


def expected_text(chunks: int) -> str:
    """The whole text of a `text` answer with this many chunks."""
    return "".join(map(word, range(chunks)))


@lru_cache(maxsize=1)
def _hostile(message: str) -> str:
    length, _, name = message.partition(" ")
    return CONSTRUCTS[name](int(length)) if name in CONSTRUCTS and length.isdigit() else ""


class Break(Enum):
    """How an answer's body stops before all its steps are played."""

    END = "in order, as far as HTTP is concerned"
    CUT = "the socket closes inside an HTTP chunk"
    SILENCE = "nothing follows and the connection stays open"


Step = bytes | float | Break
"""A frame to write, a time to wait for (in seconds since the answer began), or a break."""


@dataclass(frozen=True, slots=True)
class Script:
    """The script of one request."""

    model: str
    behaviour: str
    stream: bool
    wants_usage: bool
    user: str
    text: str
    chunks: int
    gap_s: float
    ttft_s: float

    @classmethod
    def read(cls, body: dict[str, Any]) -> Script:
        """The script in the body of a chat completion request."""
        model = str(body.get("model", "scripted"))
        content = (body.get("messages") or [{}])[-1].get("content") or ""
        text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
        try:
            chunks, gap, ttft = (float(part) for part in text.split()[:3])
        except ValueError:
            chunks, gap, ttft = 20, 5, 20
        return cls(
            model=model,
            behaviour=model.rpartition("+")[2] if "+" in model else "text",
            stream=bool(body.get("stream")),
            wants_usage=bool((body.get("stream_options") or {}).get("include_usage")),
            user=str(body.get("user") or ""),
            text=text,
            chunks=int(chunks),
            gap_s=gap / 1000,
            ttft_s=ttft / 1000,
        )

    @property
    def duration_s(self) -> float:
        """How long the model takes for the whole answer, in seconds."""
        return self.ttft_s + len(self) * self.gap_s

    def __len__(self) -> int:
        """How many chunks of text there are."""
        match self.behaviour:
            case "echo":
                return -(-len(self.text) // _PIECE)
            case "json":
                return -(-len(JSON_ANSWER) // _PIECE)
            case "big-frame":
                return 1
            case "markdown":
                return -(-len(_hostile(self.text)) // _LARGE_PIECE)
            case _:
                return self.chunks

    def piece(self, index: int) -> str:
        """The text of chunk `index`."""
        start = index * _PIECE
        match self.behaviour:
            case "echo":
                return self.text[start : start + _PIECE]
            case "json":
                return JSON_ANSWER[start : start + _PIECE]
            case "big-frame":
                return BIG_DELTA
            case "markdown":
                return _hostile(self.text)[index * _LARGE_PIECE : (index + 1) * _LARGE_PIECE]
            case "stamp":
                return f" @{time.perf_counter_ns()}@"
            case _:
                return word(index)

    def completion(self) -> dict[str, Any]:
        """The answer to a request without streaming."""
        message: dict[str, Any] = {"role": "assistant", "content": "".join(map(self.piece, range(len(self))))}
        finish = "stop"
        if self.behaviour == "tools":
            message = {"role": "assistant", "content": None, "tool_calls": [_tool_call(TOOL_ARGUMENTS, first=True)]}
            finish = "tool_calls"
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return self._record("chat.completion") | {"choices": [choice], "usage": self._usage()}

    def steps(self) -> Iterator[Step]:
        """The stream, step by step."""
        yield self.ttft_s
        if self.behaviour == "hang":
            yield Break.SILENCE
        yield self._chunk({"role": "assistant", "content": ""})
        finish = "stop"
        if self.behaviour == "tools":
            finish = "tool_calls"
            for start in range(0, len(TOOL_ARGUMENTS), _PIECE):
                call = _tool_call(TOOL_ARGUMENTS[start : start + _PIECE], first=start == 0)
                yield self._chunk({"content": None, "tool_calls": [call]})
        else:
            yield from self._paced_text()
        if self.behaviour == "no-done":
            return
        yield self._chunk({}, finish)
        if self.wants_usage:
            yield self._frame(self._record("chat.completion.chunk") | {"choices": [], "usage": self._usage()})
        yield self._event(b"[DONE]")

    def _paced_text(self) -> Iterator[Step]:
        for index in range(len(self)):
            if self.gap_s:
                yield self.ttft_s + (index + 1) * self.gap_s
            elif index % 50 == 49:
                yield 0.0  # an answer without gaps must still let other connections run
            yield from self._misbehave(index)
            yield self._chunk({"content": self.piece(index)})

    def _misbehave(self, index: int) -> Iterator[Step]:
        """The steps that the behaviour puts in front of chunk `index`."""
        match self.behaviour:
            case "crlf" if index % 4 == 3:
                yield b": a comment\r\nid: %d\r\nretry: 700\r\n" % index
            case "null-usage" if index == 5:
                yield self._chunk(None)
            case "stall" if index == _BREAK_AFTER:
                yield Break.SILENCE
            case "drop" if index == _BREAK_AFTER:
                yield Break.CUT
            case "bad-json" if index == _BREAK_AFTER:
                yield self._event(b'{"id": "chatcmpl-scripted", "choices": [{"delta": {"content": "never clo')
            case "error-frame" if index == _BREAK_AFTER:
                yield self._frame(error(529))
                yield Break.END

    def _chunk(self, delta: dict[str, Any] | None, finish: str | None = None) -> bytes:
        choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
        nulls = {"usage": None} if self.behaviour == "null-usage" else {}
        return self._frame(self._record("chat.completion.chunk") | {"choices": choices} | nulls)

    def _frame(self, record: dict[str, Any]) -> bytes:
        return self._event(json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode())

    def _event(self, data: bytes) -> bytes:
        return b"data: " + data + (b"\r\n\r\n" if self.behaviour == "crlf" else b"\n\n")

    def _record(self, kind: str) -> dict[str, Any]:
        return {"id": "chatcmpl-scripted", "object": kind, "created": 1_700_000_000, "model": self.model}

    def _usage(self) -> dict[str, int]:
        return {"prompt_tokens": 7, "completion_tokens": len(self), "total_tokens": 7 + len(self)}


def error(status: int, kind: str = "scripted_error") -> dict[str, Any]:
    """A provider's error body."""
    return {"error": {"message": f"{PROVIDER_DETAIL} {status}", "type": kind, "code": status}}


def _tool_call(arguments: str, *, first: bool) -> dict[str, Any]:
    """A tool call or a fragment of it. Only the first carries the id and the name."""
    if first:
        return {"index": 0, "id": "call_scripted", "type": "function", "function": {"name": TOOL_NAME, "arguments": arguments}}
    return {"index": 0, "id": None, "function": {"name": None, "arguments": arguments}}
