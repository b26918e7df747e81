"""Turns a whole answer into the frames of a stream, so that all readers read the same.

With streaming off, the answer comes from the request for it (`ask`). If that may have begun a call but was refused, it is sent again
with the same idempotency key, as in `client_server.upstream`. If the gateway has dropped the stream of a call that has ended, the answer
comes from the gateway's record of that call (`stored_answer`).
"""

from __future__ import annotations

from typing import Any

import orjson

from client_server.errors import PATIENCE_S, as_seen_from_here, is_leaving, out_of_reach, unavailable, worth_another_try
from client_server.turn import Terminal, Turn
from saas_client import GatewayRefused, GatewayUnreachable, SaaSError, SaaSLLMClient
from serving.patience import Patience
from wire.chunks import as_chunk
from wire.errors import ErrorCode, WireError
from wire.frames import DONE, failed_frame, hop_frame, numbered, receipt_frame
from wire.log import Outcome
from wire.sse import encode

_ENDED = {outcome.value for outcome in Outcome} - {Outcome.INTERRUPTED.value}
_OF_RECEIPT = ("call_id", "status", "finish_reason", "usage", "estimated", "cost_usd", "model_group", "resolved_model", "attempts")


async def ask(turn: Turn, client: SaaSLLMClient, *, wait_s: float) -> Terminal:
    """Asks the gateway for the whole answer and puts its frames into the turn's log. Raises WireError.

    Cancelling it closes the connection, and the gateway then cancels the call. `wait_s`: how long it waits for a gateway that is not there.
    """
    turn.release_start()  # this request lasts as long as the answer takes
    turn.marks.sent()
    patience = Patience(wait_s)
    reached = False
    while True:
        try:
            answer = await client.chat(idempotency_key=turn.id, **turn.request.fields)
            break
        except GatewayRefused:
            turn.wait_for_gateway()
        except GatewayUnreachable:
            raise WireError(ErrorCode.INTERRUPTED, "The connection to the gateway was lost before the answer was there.") from None
        except SaaSError as error:
            if error.repeated and not reached:  # the first of the two requests may have begun the call
                reached, patience = True, Patience(PATIENCE_S)
            if is_leaving(error):
                turn.wait_for_gateway()
            elif not worth_another_try(error, reached=reached):
                raise as_seen_from_here(turn, error) from None
        if not await patience.pause():
            raise unavailable()
    receipt = (answer.get("saas") or {}).get("receipt") or {}
    turn.take_whole(as_frames(answer), receipt.get("job_id"), receipt.get("call_id"))
    return Terminal(DONE)


async def stored_answer(turn: Turn, client: SaaSLLMClient) -> Terminal:
    """Fills the turn's empty log from the record of its call.

    Raises SaaSClientError. Raises WireError INTERRUPTED if the record has no end, or if readers already have part of the answer: the
    record does not say where that part ends.
    """
    job = await client.get_job(turn.job_id or "")
    call = next((call for call in job.get("calls") or () if call.get("call_id") == turn.call_id), None)
    if call is None or len(turn.log) or call.get("status") not in _ENDED:
        raise out_of_reach()
    turn.take_whole(as_frames(_as_completion(turn, call)), turn.job_id, turn.call_id)
    if call["status"] != Outcome.FAILED.value:
        return Terminal(DONE)
    code = ErrorCode.named(call.get("error_code") or "")
    error = WireError(code, job.get("error_message") or "The call failed.", request_id=turn.request_id, hop="saas_api")
    return Terminal(failed_frame(error))


def as_frames(answer: dict[str, Any]) -> list[bytes]:
    """Returns the frames of a `chat.completion` with its `saas` object: one chunk with the message, the receipt, the gateway's hops."""
    saas = answer.get("saas") or {}
    frames = [encode(orjson.dumps(as_chunk(answer)))]
    if saas.get("receipt"):
        frames.append(receipt_frame(saas["receipt"]))
    frames.extend(hop_frame(hop) for hop in saas.get("hops") or ())
    return [numbered(index, frame) for index, frame in enumerate(frames)]


def _as_completion(turn: Turn, call: dict[str, Any]) -> dict[str, Any]:
    """Returns the record as the `chat.completion` that a non-streaming request would have brought."""
    receipt = (
        {"job_id": turn.job_id} | {name: call.get(name) for name in _OF_RECEIPT} | {"credits_charged": None, "credits_remaining": None}
    )
    return {
        "id": turn.call_id,
        "created": int(call.get("created_at") or 0),
        "model": call.get("resolved_model"),
        "usage": call.get("usage"),
        "choices": [{"index": 0, "message": call.get("message") or {}, "finish_reason": call.get("finish_reason")}],
        "saas": {"receipt": receipt},
    }
