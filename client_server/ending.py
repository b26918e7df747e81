"""The end of a turn: it is saved first, and its readers get it after that.

If the database cannot be written, readers must not wait for it, and the conversation must not stay blocked until a restart. After a few
attempts the readers are told, and the ending stays here until it can be saved.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import orjson

from client_server.errors import mistake
from client_server.figures import figures
from client_server.store import Store, TurnTimes
from client_server.turn import Terminal, Turn
from serving.turnstile import ENDS_PER_PASS, Turnstile
from wire.errors import ErrorCode, WireError
from wire.frames import DONE, hop_frame, payload
from wire.log import Ending, Outcome

logger = logging.getLogger(__name__)

SAVE_PAUSES_S = (0.1, 0.5, 2.0)
"""Pauses between attempts. They are long enough for a database that is locked or restarting."""


class Endings:
    """Ends turns, and keeps the endings that could not be saved yet."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._unsaved: dict[str, dict[str, Any]] = {}
        self._turnstile = Turnstile(ENDS_PER_PASS)

    def unsaved(self, turn_id: str) -> dict[str, Any]:
        """Returns the fields that the turn's row does not have yet; empty once they are saved."""
        return self._unsaved.get(turn_id, {})

    @property
    def all_saved(self) -> bool:
        """Whether no ending waits to be saved."""
        return not self._unsaved

    async def conclude(self, turn: Turn, terminal: Terminal) -> None:
        """Saves the turn with this end, and then gives its readers the end. They get it whatever goes wrong."""
        await asyncio.sleep(0)  # the last read's frames leave first, so that the marks have their departure
        await self._turnstile.enter()
        try:
            await turn.fold.follow(turn.log)
            outcome, error = _outcome(turn, terminal)
        except Exception:
            logger.exception("turn %s could not be read to its end", turn.id)
            terminal = turn.fail(mistake())
            outcome, error = _outcome(turn, terminal)
        own = turn.sum_up()
        times = TurnTimes(
            state=outcome.value,
            streaming=turn.streaming,
            created_at=turn.created_at,
            ended_at=time.time(),
            receipt=turn.fold.receipt,
            hops=list(turn.hops),
            browser_hop=None,
        )
        measured = figures(times)
        ending = {
            "state": outcome.value,
            "content": turn.content(),
            "error": error,
            "receipt": times.receipt,
            "hops": times.hops,
            "job_id": turn.job_id,
            "call_id": turn.call_id,
            "ended_at": times.ended_at,
            **({} if measured is None else measured.columns()),
        }
        if not await self._save(turn.id, ending):
            self._unsaved[turn.id] = ending
            lost = WireError(ErrorCode.INTERNAL_ERROR, "The answer could not be saved yet.")
            outcome, terminal = Outcome.FAILED, Terminal(turn.fail(lost).frame, terminal.before)
        turn.end(Ending(outcome, terminal.before + hop_frame(own) + terminal.frame))

    async def save_rest(self) -> None:
        """Saves the endings that could not be saved before, if the database is back."""
        for turn_id, ending in list(self._unsaved.items()):
            try:
                await self._store.end_turn(turn_id, **ending)
            except Exception as error:
                logger.warning("turn %s still cannot be saved: %s", turn_id, type(error).__name__)
                continue
            del self._unsaved[turn_id]
            logger.info("turn %s is saved after all", turn_id)

    async def _save(self, turn_id: str, ending: dict[str, Any]) -> bool:
        for pause in (*SAVE_PAUSES_S, None):
            try:
                await self._store.end_turn(turn_id, **ending)
            except Exception:
                logger.exception("turn %s could not be saved", turn_id)
            else:
                return True
            if pause is not None:
                await asyncio.sleep(pause)
        return False


def _outcome(turn: Turn, terminal: Terminal) -> tuple[Outcome, dict[str, Any] | None]:
    """Returns how the turn ended, and the error to keep with it. A cancelled call ends in order; its receipt says that it was cancelled."""
    if terminal.frame == DONE:
        receipt = turn.fold.receipt
        cancelled = turn.aborted or (receipt is not None and receipt.get("status") == Outcome.CANCELLED.value)
        return (Outcome.CANCELLED if cancelled else Outcome.FINISHED), None
    try:
        error = orjson.loads(payload(terminal.frame)).get("error")
    except (orjson.JSONDecodeError, AttributeError):
        error = None
    known = WireError.from_dict(error)
    turn.failed_above(known)
    outcome = Outcome.INTERRUPTED if known.code is ErrorCode.INTERRUPTED else Outcome.FAILED
    return outcome, {"code": known.code.code, "message": known.message, "retryable": known.retryable, "hop": known.hop}
