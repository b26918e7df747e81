"""The answer of a call whose stream the gateway no longer has: taken from the gateway's record of the call."""

from __future__ import annotations

from typing import Any

from client_server.turn import Turn
from client_server.whole import as_frames
from saas_client import SaaSLLMClient
from wire.errors import ErrorCode, WireError
from wire.frames import DONE, failed_frame
from wire.log import Outcome

_RECEIPT = ("call_id", "status", "finish_reason", "usage", "estimated", "cost_usd", "model_group", "resolved_model", "attempts")


async def stored_answer(turn: Turn, client: SaaSLLMClient) -> bytes:
    """Fills the turn's empty log from the record of its call; the terminal frame.

    Raises SaaSClientError, and WireError INTERRUPTED where the record holds no end, or readers have a part of the answer already:
    where that breaks off, the record does not say.
    """
    job = await client.get_job(turn.job_id or "")
    call = next((call for call in job.get("calls") or () if call.get("call_id") == turn.call_id), None)
    if call is None or len(turn.log) or call.get("status") not in {"finished", "cancelled", "failed"}:
        raise WireError(ErrorCode.INTERRUPTED, "The rest of this answer could not be had from the gateway any more.")
    turn.marks.headers()
    frames = as_frames(_as_completion(turn, call))
    turn.marks.arrived(1, sum(map(len, frames)))
    turn.log.append(frames)
    if call["status"] != Outcome.FAILED.value:
        return DONE
    code = ErrorCode.named(call.get("error_code") or "")
    return failed_frame(WireError(code, job.get("error_message") or "The call failed.", request_id=turn.request_id, hop="saas_api"))


def _as_completion(turn: Turn, call: dict[str, Any]) -> dict[str, Any]:
    """The record as the `chat.completion` that a request for the whole answer would have brought."""
    receipt = {"job_id": turn.job_id} | {name: call.get(name) for name in _RECEIPT} | {"credits_charged": None, "credits_remaining": None}
    return {
        "id": turn.call_id,
        "created": int(call.get("created_at") or 0),
        "model": call.get("resolved_model"),
        "usage": call.get("usage"),
        "choices": [{"index": 0, "message": call.get("message") or {}, "finish_reason": call.get("finish_reason")}],
        "saas": {"receipt": receipt},
    }
