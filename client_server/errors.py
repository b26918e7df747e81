"""This server's own errors, and how it presents the gateway's."""

from __future__ import annotations

from client_server.turn import Turn
from saas_client import NotFound, SaaSError, StreamExpired
from wire.errors import ErrorCode, WireError

PATIENCE_S = 30.0
"""How long the gateway may be away in the middle of a turn."""


def not_found(what: str) -> WireError:
    """Also used for another session's things: the answer does not tell the two cases apart."""
    return WireError(ErrorCode.NOT_FOUND, f"There is no such {what}.")


def mistake() -> WireError:
    """A bug of this server."""
    return WireError(ErrorCode.INTERNAL_ERROR, "The server made a mistake; it has been logged.")


def unavailable() -> WireError:
    """The error if the gateway does not answer."""
    return WireError(ErrorCode.UPSTREAM_UNAVAILABLE, "The gateway cannot be reached at the moment.", retry_after=2)


def out_of_reach() -> WireError:
    """The error if the gateway no longer has the rest of an answer."""
    return WireError(ErrorCode.INTERRUPTED, "The rest of this answer could not be had from the gateway any more.")


def as_seen_from_here(turn: Turn, error: SaaSError) -> WireError:
    """If the gateway no longer knows a call of ours, or has lost its frames, the call was interrupted, whatever the gateway's code is."""
    if (turn.call_id is not None or turn.recovered) and isinstance(error, NotFound | StreamExpired):
        return out_of_reach()
    if error.code == ErrorCode.INVALID_KEY.code:
        return WireError(ErrorCode.UPSTREAM_ERROR, "The gateway does not accept this server's credentials.", retryable=False)
    error.error.hop = error.error.hop or "saas_api"
    return error.error


def stream_expired() -> WireError:
    """The error for a stream that has ended and whose log is gone."""
    return WireError(ErrorCode.STREAM_EXPIRED, "This stream is over; the answer is in its conversation.")


def is_leaving(error: SaaSError) -> bool:
    """Whether the gateway is shutting down. It has not begun the call, and the next process can."""
    return error.code == ErrorCode.SHUTTING_DOWN.code


def worth_another_try(error: SaaSError, *, reached: bool) -> bool:
    """Whether to try again. A call that runs, or may run, can be reached again soon. If a new call is refused, the reader may repeat it."""
    return reached and error.retryable and error.code != ErrorCode.INTERRUPTED.code
