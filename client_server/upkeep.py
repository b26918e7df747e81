"""What is done for the running turns once a second, off the chunks' way: checkpoints, late endings, lost readers, dead connections."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence

from client_server.endings import Endings
from client_server.store import Store
from client_server.turn import Turn

logger = logging.getLogger(__name__)

EVERY_S = 1.0
SILENCE_S = 45.0
"""The gateway pings every 15 s: after three of them missed, the connection is dead, though nobody has said so."""


class Upkeep:
    """Looks after turns. `abandon` is called for those that have lost their readers and have no conversation to be found in."""

    def __init__(self, store: Store, endings: Endings, *, grace_s: float, abandon: Callable[[Turn], None]) -> None:
        self._store = store
        self._endings = endings
        self._grace = grace_s
        self._abandon = abandon

    async def run(self, live: Mapping[str, Turn]) -> None:
        """Goes round until it is cancelled. What goes wrong in one round is the next one's to make good."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self._round([turn for turn in live.values() if not turn.ended])
            except Exception:
                logger.exception("a round of upkeep failed")

    async def _round(self, running: Sequence[Turn]) -> None:
        now = time.monotonic()
        for turn in running:
            self._look_for_readers(turn, now)
            _look_for_signs_of_life(turn, now)
        await self._endings.save_rest()
        await self.checkpoint(running)

    async def checkpoint(self, turns: Sequence[Turn]) -> None:
        """Saves the text so far, and the call's ids, of the turns that have moved since the last time."""
        progress = []
        reached = []
        for turn in turns:
            if turn.task is not None and turn.checkpointed != (len(turn.log), turn.call_id):
                await turn.fold.follow(turn.log)
                reached.append((turn, (turn.fold.index, turn.call_id)))
                progress.append((turn.id, turn.content(), turn.job_id, turn.call_id))
        if not progress:
            return
        try:
            await self._store.checkpoint(progress)
        except Exception:
            logger.exception("a checkpoint of %d turns failed; the next one will hold it all", len(progress))
            return
        for turn, place in reached:
            turn.checkpointed = place

    def _look_for_readers(self, turn: Turn, now: float) -> None:
        unread_since = turn.log.unread_since
        if turn.conversation_id is None and unread_since is not None and now - unread_since >= self._grace:
            self._abandon(turn)


def _look_for_signs_of_life(turn: Turn, now: float) -> None:
    """Closes a connection that has been silent for too long; the turn then resumes on another."""
    reads, since = turn.heard
    if turn.stream is None or turn.marks.reads != reads or since == 0.0:
        turn.heard = (turn.marks.reads, now)
    elif now - since >= SILENCE_S:
        turn.heard = (reads, now)
        turn.stream.close()
