"""A turn without streaming: the whole answer is asked for in one request."""

from __future__ import annotations

from client_server.inward import Terminal, as_seen_from_here, unavailable
from client_server.turn import Turn
from client_server.whole import as_frames
from saas_client import GatewayRefused, GatewayUnreachable, SaaSError, SaaSLLMClient
from wire.errors import ErrorCode, WireError
from wire.frames import DONE


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
