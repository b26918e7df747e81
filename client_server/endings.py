"""The end of a turn: saved first, told to its readers after that."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import orjson

from client_server.inward import Terminal
from client_server.store import Store
from client_server.turn import Turn
from wire.errors import ErrorCode, WireError
from wire.frames import DONE, failed_frame, hop_frame, payload
from wire.log import Ending, Outcome

logger = logging.getLogger(__name__)

FOLD_SLICE = 50
"""Frames folded at once: about 0.2 ms of parsing, after which other streams have their turn."""


async def fold_rest(turn: Turn) -> None:
    """Folds what the log holds and the fold has not seen yet, giving way in between."""
    while turn.fold.index < len(turn.log):
        turn.fold.take(turn.log.frames(turn.fold.index, turn.fold.index + FOLD_SLICE))
        await asyncio.sleep(0)


async def conclude(turn: Turn, terminal: Terminal, store: Store) -> None:
    """Saves the turn as this terminal frame ends it, and then lets its readers have the end."""
    await asyncio.sleep(0)  # frames of the last read leave first, so that their departure is in the marks
    await fold_rest(turn)
    outcome, error = _outcome(turn, terminal)
    own = turn.marks.to_dict()
    turn.hops = [*turn.fold.hops, own]
    try:
        await store.end_turn(
            turn.id,
            state=outcome.value,
            content=turn.content(),
            error=error,
            receipt=turn.fold.receipt,
            hops=turn.hops,
            job_id=turn.job_id,
            call_id=turn.call_id,
            ended_at=time.time(),
        )
    except Exception:
        logger.exception("turn %s could not be saved", turn.id)
        lost = WireError(ErrorCode.INTERNAL_ERROR, "The answer could not be saved.", request_id=turn.request_id, hop="client_server")
        outcome, terminal, turn.failure = Outcome.FAILED, Terminal(failed_frame(lost), terminal.before), lost
    turn.log.end(Ending(outcome, terminal.before + hop_frame(own) + terminal.frame))


def failure(turn: Turn, error: WireError) -> Terminal:
    """The terminal frame of what went wrong on this side of the gateway, or before its stream began."""
    error.request_id = error.request_id or turn.request_id
    error.hop = error.hop or "client_server"
    turn.failure = error
    return Terminal(failed_frame(error), b"")


def _outcome(turn: Turn, terminal: Terminal) -> tuple[Outcome, dict[str, Any] | None]:
    """How the turn ended, and the error to keep with it. A cancelled call ends in order: its receipt says so."""
    if terminal.frame == DONE:
        cancelled = turn.aborted or (turn.fold.receipt or {}).get("status") == Outcome.CANCELLED.value
        return (Outcome.CANCELLED if cancelled else Outcome.FINISHED), None
    try:
        error = orjson.loads(payload(terminal.frame)).get("error")
    except (orjson.JSONDecodeError, AttributeError):
        error = None
    known = WireError.from_dict(error)
    turn.failure = turn.failure or known
    outcome = Outcome.INTERRUPTED if known.code is ErrorCode.INTERRUPTED else Outcome.FAILED
    return outcome, {"code": known.code.code, "message": known.message, "retryable": known.retryable, "hop": known.hop}
