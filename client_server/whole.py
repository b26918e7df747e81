"""A whole answer, put on the wire of streams, so that every reader reads alike."""

from __future__ import annotations

from typing import Any

import orjson

from wire.frames import hop_frame, numbered, receipt_frame
from wire.sse import encode


def as_frames(answer: dict[str, Any]) -> list[bytes]:
    """The frames of a `chat.completion` with its `saas` object: one chunk with all of the message, the receipt, the gateway's hops."""
    saas = answer.get("saas") or {}
    frames = [encode(orjson.dumps(_as_chunk(answer)))]
    if saas.get("receipt"):
        frames.append(receipt_frame(saas["receipt"]))
    frames.extend(hop_frame(hop) for hop in saas.get("hops") or ())
    return [numbered(index, frame) for index, frame in enumerate(frames)]


def _as_chunk(answer: dict[str, Any]) -> dict[str, Any]:
    """The completion as the one chunk of its stream; in a stream, tool calls are numbered."""
    chunk = {name: answer.get(name) for name in ("id", "created", "model", "usage")} | {"object": "chat.completion.chunk"}
    chunk["choices"] = [
        {"index": choice.get("index", 0), "delta": _as_delta(choice.get("message") or {}), "finish_reason": choice.get("finish_reason")}
        for choice in answer.get("choices") or ()
    ]
    return chunk


def _as_delta(message: dict[str, Any]) -> dict[str, Any]:
    calls = message.get("tool_calls")
    if not calls:
        return message
    return message | {"tool_calls": [{"index": index} | call for index, call in enumerate(calls)]}
