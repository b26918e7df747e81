"""The owner of the running turns: begins them, stops them, keeps their logs for a while after their end.

A turn's task belongs to the server, not to a connection. It asks the gateway as soon as the turn is recorded, and goes on whether anyone
reads or not. At the end of the process tasks are cut off in the middle, on purpose: the next process finds their rows and goes on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from client_server.completion import ask
from client_server.ending import Endings
from client_server.errors import mistake
from client_server.store import RunningTurn, Store
from client_server.turn import Terminal, Turn
from client_server.upstream import FIRST_PAUSE_S, follow
from client_server.watch import Watch
from saas_client import GatewayUnreachable, SaaSClientError, SaaSLLMClient
from serving.pauses import keep_pauses_short
from wire.errors import ErrorCode, WireError
from wire.frames import DONE
from wire.log import Ending, Outcome

logger = logging.getLogger(__name__)

STARTING_AT_ONCE = 8
"""Turns between their first insert and the gateway's headers: more of them would hold up the chunks of those that run."""
START_SLOT_S = 1.0
"""A gateway that is slow to accept calls must not keep others from asking."""
STOP_PATIENCE_S = 5.0


class Turns:
    """All live turns of this process. Use it as an async context manager, inside that of the client and the store's writer."""

    def __init__(self, client: SaaSLLMClient, store: Store, *, retention_s: float, grace_s: float) -> None:
        self._client = client
        self._store = store
        self._retention = retention_s
        self._live: dict[str, Turn] = {}
        self._starting = asyncio.Semaphore(STARTING_AT_ONCE)
        self._tasks = asyncio.TaskGroup()
        self._endings = Endings(store)
        self._watch = Watch(store, self._endings, grace_s=grace_s, abandon=self._abandon)

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._background = [
            self._tasks.create_task(self._watch.run(self._live)),
            self._tasks.create_task(keep_pauses_short(lambda: any(not turn.ended for turn in self._live.values()))),
        ]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for task in self._background:
            task.cancel()
        for turn in self._live.values():
            turn.cut_off()
        await self._tasks.__aexit__(kind, error, trace)
        await self._watch.checkpoint(list(self._live.values()))
        await self._endings.save_rest()

    def get(self, turn_id: str, session_id: str) -> Turn | None:
        """The live turn, if it is this session's."""
        turn = self._live.get(turn_id)
        return turn if turn is not None and turn.session_id == session_id else None

    def unsaved(self, turn_id: str) -> dict[str, Any]:
        """The fields of an ending that the turn's row does not show yet, because the database could not be written."""
        return self._endings.unsaved(turn_id)

    async def start(
        self,
        row: RunningTurn,
        *,
        received_ns: int | None = None,
        request_id: str | None = None,
        title: str | None = None,
        replaces: str | None = None,
    ) -> Turn:
        """Records a turn and asks the gateway. `title` begins a conversation with it. Raises ConversationBusy, SQLAlchemyError."""
        turn = Turn.of(row, received_ns=received_ns, request_id=request_id)
        await self._take_place(turn)
        try:
            await self._store.add_turn(row, title=title, replaces=replaces)
        except BaseException:
            turn.release_start()
            raise
        self._begin(turn)
        await asyncio.sleep(0)  # the gateway is asked before the reader's response is prepared: the two then happen at once
        return turn

    async def recover(self) -> None:
        """Makes every turn live again that a former process has left; before the first request is served, so that a reader finds it.

        A turn that was not a stream cannot be had again, since the gateway cancelled it when its client died: it is marked interrupted.
        """
        rows = await self._store.streaming_turns()
        for row in rows:
            if row.streaming:
                self.adopt(row)
            else:
                await self._store.end_turn(row.id, state="interrupted", content=row.content, error=_RESTARTED, ended_at=time.time())
        if rows:
            logger.info("went on with %d turns of a former process", len(rows))

    def adopt(self, row: RunningTurn) -> None:
        """Goes on with a stream that a former process has left: it is read again from the start, into a fresh log."""
        self._begin(Turn.left_behind(row))

    def _begin(self, turn: Turn) -> None:
        self._live[turn.id] = turn
        turn.begin(self._tasks.create_task(self._run(turn)))

    async def _take_place(self, turn: Turn) -> None:
        await self._starting.acquire()
        turn.hold_start(_once(self._starting.release))

    async def _run(self, turn: Turn) -> None:
        """One turn, from the request to the gateway to the end that its readers get. A mistake of ours ends this turn, and no other."""
        try:
            terminal = await self._answered(turn)
            turn.stop_reading()
            await self._endings.conclude(turn, terminal)
        except Exception:
            logger.exception("turn %s could not be ended in order", turn.id)
            if not turn.ended:
                turn.end(Ending(Outcome.FAILED, turn.fail(mistake()).frame))
        asyncio.get_running_loop().call_later(self._retention, self._live.pop, turn.id, None)

    async def _answered(self, turn: Turn) -> Terminal:
        """Brings the answer into the turn's log; how it ended."""
        slot: asyncio.TimerHandle | None = None
        try:
            if turn.recovered:
                await self._take_place(turn)
            slot = asyncio.get_running_loop().call_later(START_SLOT_S, turn.release_start)
            return await (follow if turn.streaming else ask)(turn, self._client)
        except asyncio.CancelledError:
            if not turn.was_aborted():
                raise
            return Terminal(DONE)
        except WireError as error:
            return turn.fail(error)
        except Exception:
            logger.exception("turn %s failed", turn.id)
            return turn.fail(mistake())
        finally:
            if slot is not None:
                slot.cancel()
            turn.release_start()

    async def stop(self, turn: Turn) -> None:
        """Stops the answer, at the provider too. What has come so far stays; the turn ends as cancelled. Asking again is allowed."""
        turn.ask_to_stop()
        if turn.ended:
            return
        if not turn.streaming:
            turn.abort()
            return
        try:
            async with asyncio.timeout(STOP_PATIENCE_S):
                await turn.accepted()
                await self._cancel_call(turn)
        except (TimeoutError, SaaSClientError) as error:
            logger.warning("turn %s is stopped here alone: %s", turn.id, type(error).__name__)
            turn.abort()

    async def _cancel_call(self, turn: Turn) -> None:
        """Asks the gateway until it has heard; the turn then ends by its own stream. Raises SaaSError."""
        while not turn.ended and turn.job_id and turn.call_id:
            try:
                await self._client.cancel(turn.job_id, turn.call_id)
                return
            except GatewayUnreachable:
                await asyncio.sleep(FIRST_PAUSE_S)

    def _abandon(self, turn: Turn) -> None:
        """Nobody reads the turn and nobody can come back to it."""
        if not turn.stopping:
            turn.ask_to_stop()
            self._tasks.create_task(self._stop_unread(turn))

    async def _stop_unread(self, turn: Turn) -> None:
        try:
            await self.stop(turn)
        except Exception:
            logger.exception("turn %s, which nobody reads, could not be stopped", turn.id)
            turn.abort()


_RESTARTED = {
    "code": ErrorCode.INTERRUPTED.code,
    "message": "The server was restarted before the answer was there.",
    "retryable": True,
    "hop": "client_server",
}


def _once(release: Callable[[], None]) -> Callable[[], None]:
    pending = [release]

    def call() -> None:
        if pending:
            pending.pop()()

    return call
