"""What this server's own errors are, and how the gateway's look from here."""

from __future__ import annotations

from client_server.turn import Turn
from saas_client import NotFound, SaaSError, StreamExpired
from wire.errors import ErrorCode, WireError


def not_found(what: str) -> WireError:
    """Also for what belongs to someone else: the answer does not tell the two apart."""
    return WireError(ErrorCode.NOT_FOUND, f"There is no such {what}.")


def mistake() -> WireError:
    """A mistake of ours."""
    return WireError(ErrorCode.INTERNAL_ERROR, "The server made a mistake; it has been logged.")


def unavailable() -> WireError:
    """What a reader is told when nobody answers above."""
    return WireError(ErrorCode.UPSTREAM_UNAVAILABLE, "The gateway cannot be reached at the moment.", retry_after=2)


def out_of_reach() -> WireError:
    """The gateway no longer has what is missing of an answer."""
    return WireError(ErrorCode.INTERRUPTED, "The rest of this answer could not be had from the gateway any more.")


def as_seen_from_here(turn: Turn, error: SaaSError) -> WireError:
    """A call of ours that the gateway no longer knows, or no longer has the frames of, was interrupted, whatever the gateway calls it."""
    if (turn.call_id is not None or turn.recovered) and isinstance(error, NotFound | StreamExpired):
        return out_of_reach()
    if error.code == ErrorCode.INVALID_KEY.code:
        return WireError(ErrorCode.UPSTREAM_ERROR, "The gateway does not accept this server's credentials.", retryable=False)
    error.error.hop = error.error.hop or "saas_api"
    return error.error
