"""The end of a turn: it is saved first, and its readers get it after that.

If the database cannot be used, readers wait while saving is tried again (`SAVE_PATIENCE_S`). Then they are told, and the ending stays here
until it can be saved, so no conversation stays blocked until a restart.
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
from serving.patience import Patience
from serving.turnstile import ENDS_PER_PASS, Turnstile
from storage.outages import DatabaseAway
from wire.errors import ErrorCode, WireError
from wire.frames import DONE, hop_frame, payload
from wire.log import Ending, Outcome

logger = logging.getLogger(__name__)

SAVE_PATIENCE_S = 15.0
"""After the first failure, saving the end of a turn is tried again for so long. One attempt may take as long as the database lets it."""


class Endings:
    """Ends turns, and keeps the endings that could not be saved yet."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._unsaved: dict[str, dict[str, Any]] = {}
        self._turnstile = Turnstile(ENDS_PER_PASS)
        self._closing = False

    def unsaved(self, turn_id: str) -> dict[str, Any]:
        """Returns the fields that the turn's row does not have yet; empty once they are saved."""
        return self._unsaved.get(turn_id, {})

    @property
    def all_saved(self) -> bool:
        """Whether no ending waits to be saved."""
        return not self._unsaved

    def close(self) -> None:
        """The process ends: nobody waits for a database that is away any more."""
        self._closing = True

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
        if (lost := await self._save(turn.id, ending)) is not None:
            self._unsaved[turn.id] = ending
            outcome, terminal = Outcome.FAILED, Terminal(turn.fail(lost).frame, terminal.before)
        turn.end(Ending(outcome, terminal.before + hop_frame(own) + terminal.frame))

    async def save_rest(self) -> None:
        """Saves the endings that could not be saved before, if the database is back."""
        for turn_id, ending in list(self._unsaved.items()):
            try:
                await self._store.end_turn(turn_id, **ending)
            except DatabaseAway:
                return
            except Exception:
                logger.exception("turn %s cannot be saved: its text is lost", turn_id)
                self._unsaved[turn_id] = ending | {"content": ""}
                continue
            del self._unsaved[turn_id]
            logger.info("turn %s is saved after all", turn_id)

    async def _save(self, turn_id: str, ending: dict[str, Any]) -> WireError | None:
        """Returns what its readers are told if it could not be saved."""
        patience = Patience(SAVE_PATIENCE_S)
        while True:
            try:
                await self._store.end_turn(turn_id, **ending)
            except DatabaseAway:
                if self._closing or not await patience.pause():
                    return WireError(ErrorCode.INTERNAL_ERROR, "The answer could not be saved yet.")
            except Exception:
                logger.exception("turn %s could not be saved", turn_id)
                return WireError(ErrorCode.INTERNAL_ERROR, "The answer could not be saved.")
            else:
                return None


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
