"""A turn without streaming: the whole answer in one piece, put on the same wire, so that every reader reads alike."""

from __future__ import annotations

from typing import Any

import orjson

from client_server.inward import Terminal, as_seen_from_here, unavailable
from client_server.turn import Turn
from saas_client import GatewayRefused, GatewayUnreachable, SaaSError, SaaSLLMClient
from wire.errors import ErrorCode, WireError
from wire.frames import DONE, hop_frame, numbered, receipt_frame
from wire.sse import encode


async def ask(turn: Turn, client: SaaSLLMClient) -> Terminal:
    """Asks the gateway and fills the turn's log with the answer's frames. Raises WireError.

    Cancelling it closes the connection, and the gateway then cancels the call.
    """
    turn.release_start()  # it runs as long as the answer takes
    turn.marks.sent()
    try:
        answer = await client.chat(idempotency_key=turn.id, **turn.request)
    except GatewayRefused:
        raise unavailable() from None
    except GatewayUnreachable:
        raise WireError(ErrorCode.INTERRUPTED, "The connection to the gateway was lost before the answer was there.") from None
    except SaaSError as error:
        raise as_seen_from_here(turn, error) from None
    turn.marks.headers()
    frames = as_frames(answer)
    turn.marks.arrived(1, sum(map(len, frames)))
    turn.log.append(frames)
    receipt = (answer.get("saas") or {}).get("receipt") or {}
    turn.job_id, turn.call_id = receipt.get("job_id"), receipt.get("call_id")
    return Terminal(DONE, b"")


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
