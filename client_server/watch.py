"""Looks after the running turns once a second: checkpoints, late endings, lost readers, dead connections."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence

from client_server.ending import Endings
from client_server.shown import Shown
from client_server.store import Store
from client_server.turn import Phase, Turn
from storage.outages import DatabaseAway

logger = logging.getLogger(__name__)

EVERY_S = 1.0


class Watch:
    """Looks after turns. `abandon` is called for those that have no reader and no conversation."""

    def __init__(self, store: Store, endings: Endings, shown: Shown, *, grace_s: float, abandon: Callable[[Turn], None]) -> None:
        self._store = store
        self._endings = endings
        self._shown = shown
        self._last: tuple[int, list[Turn]] = (0, [])
        """Where the notes were at the last checkpoint, and the turns whose ends were being saved then."""
        self._grace = grace_s
        self._abandon = abandon

    async def run(self, live: Mapping[str, Turn]) -> None:
        """Runs until it is cancelled. If a round fails, the next one makes up for it."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self._round([turn for turn in live.values() if not turn.ended])
            except Exception:
                logger.exception("a round of the watch failed")

    async def _round(self, running: Sequence[Turn]) -> None:
        now = time.monotonic()
        for turn in running:
            turn.drop_dead_connection(now)
            if turn.is_abandoned(now, self._grace):
                self._abandon(turn)
        await self._endings.save_rest()
        await self.checkpoint(running)

    async def checkpoint(self, turns: Sequence[Turn]) -> bool:
        """Saves the text so far, and the call's ids, of turns that have moved since the last time. Returns whether it could.

        `turns` are all that have not ended.
        """
        place = self._shown.place
        ending = [turn for turn in turns if turn.phase is Phase.ENDING]
        moved = [turn for turn in turns if turn.has_moved]
        for turn in moved:
            await turn.fold.follow(turn.log)
        reached = [turn.reached() for turn in moved]
        if moved:
            try:
                await self._store.checkpoint([(turn.id, turn.content(), turn.job_id, turn.call_id) for turn in moved])
            except DatabaseAway:
                return False  # the log has heard of it, and the next one will hold it all
            except Exception:
                logger.exception("a checkpoint of %d turns failed; the next one will hold it all", len(moved))
                return False
        for turn, checkpoint in zip(moved, reached, strict=True):
            turn.note_checkpoint(checkpoint)
        self._shown.saved({turn.id: turn.checkpointed for turn in turns})
        self._drop_notes(place, ending)
        return True

    def _drop_notes(self, place: int, ending: list[Turn]) -> None:
        """Drops the notes before the last checkpoint, once the turns that were ending then are saved too."""
        last, awaited = self._last
        if self._endings.all_saved and all(turn.ended for turn in awaited):
            self._shown.drop(last)
            self._last = (place, ending)
