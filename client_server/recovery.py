"""What is done at start with the turns that a former process has left in mid-answer."""

from __future__ import annotations

import logging
import time

from client_server.store import Store
from client_server.turns import Turns
from wire.errors import ErrorCode
from wire.log import Outcome

logger = logging.getLogger(__name__)


async def recover(store: Store, turns: Turns) -> None:
    """Makes every unfinished turn live again before the first request is served, so that a returning reader finds it.

    A turn that was not a stream cannot be had again, since the gateway cancelled it when its client died: it is marked interrupted.
    """
    rows = await store.streaming_turns()
    for row in rows:
        if row.streaming:
            turns.adopt(row)
            continue
        await store.end_turn(
            row.id,
            state=Outcome.INTERRUPTED.value,
            content=row.content,
            error={
                "code": ErrorCode.INTERRUPTED.code,
                "message": "The server was restarted before the answer was there.",
                "retryable": True,
                "hop": "client_server",
            },
            ended_at=time.time(),
        )
    if rows:
        logger.info("went on with %d turns of a former process", len(rows))
