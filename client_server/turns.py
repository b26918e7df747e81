"""The owner of the running turns: it starts and stops them, and keeps their logs for a while after the end.

A turn's task belongs to the server, not to a connection. It asks the gateway as soon as the turn is recorded, and goes on whether or not
anybody reads. When the process ends, tasks are deliberately cut off: the next process finds their rows and goes on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from client_server.completion import ask
from client_server.ending import Endings
from client_server.errors import mistake, stream_expired
from client_server.shown import Shown, shown_before
from client_server.store import RunningTurn, Store
from client_server.turn import Phase, Terminal, Turn
from client_server.upstream import follow
from client_server.watch import Watch
from hop.pieces import is_longer
from hop.shelf import Shelf
from saas_client import GatewayUnreachable, SaaSClientError, SaaSLLMClient
from serving.patience import FIRST_PAUSE_S
from serving.pauses import keep_pauses_short
from wire.errors import ErrorCode, WireError
from wire.frames import DONE
from wire.log import Ending, Outcome

logger = logging.getLogger(__name__)

STARTING_AT_ONCE = 8
"""How many turns may be between their insert and the gateway's headers. More would delay the chunks of running turns."""
STORED_REQUEST = 1024 * 1024
"""Characters of a request that is stored until its turn has ended. A longer one holds a photograph, and would hold up all writes."""
START_SLOT_S = 1.0
"""How long a turn keeps its place: a slow gateway must not keep other turns from starting."""
STOP_PATIENCE_S = 5.0


class Turns:
    """All live turns of this process. Use it as an async context manager, inside that of the client and the store's writer.

    `notes` is the folder of the journals of what has been shown (`client_server.shown`).
    """

    def __init__(self, client: SaaSLLMClient, store: Store, shelf: Shelf, *, notes: Path, grace_s: float, wait_s: float) -> None:
        self._client = client
        self._store = store
        self._shelf = shelf
        self._wait_s = wait_s
        self._live: dict[str, Turn] = {}
        self._starting = asyncio.Semaphore(STARTING_AT_ONCE)
        self._tasks = asyncio.TaskGroup()
        self._endings = Endings(store)
        self._notes = notes
        self._shown = Shown(notes)
        self._watch = Watch(store, self._endings, self._shown, grace_s=grace_s, abandon=self._abandon)

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
        self._endings.close()
        await self._tasks.__aexit__(kind, error, trace)
        saved = await self._watch.checkpoint([turn for turn in self._live.values() if not turn.ended])
        await self._endings.save_rest()
        self._shown.close(done=saved and self._endings.all_saved)

    def get(self, turn_id: str, session_id: str) -> Turn | None:
        """Returns the live turn if it is this session's."""
        turn = self._live.get(turn_id)
        return turn if turn is not None and turn.session_id == session_id else None

    def unsaved(self, turn_id: str) -> dict[str, Any]:
        """Returns the fields of an ending that could not be written to the turn's row yet."""
        return self._endings.unsaved(turn_id)

    async def start(
        self,
        row: RunningTurn,
        *,
        received_ns: int | None = None,
        request_id: str | None = None,
        title: str | None = None,
        replaces: str | None = None,
        fresh_session: bool = False,
    ) -> Turn:
        """Records a turn and asks the gateway. With `title` it starts a conversation. `fresh_session`: the request brought no cookie.

        Raises ConversationBusy, DatabaseAway, and WireError RATE_LIMITED if the session's answers fill their memory.
        """
        self._shelf.check(row.session_id)
        request = row.request or {}
        if is_longer(request, STORED_REQUEST):
            row = replace(row, request=None)
        release = await self._place()
        try:
            await self._store.add_turn(row, title=title, replaces=replaces, fresh_session=fresh_session)
        except BaseException:
            release()
            raise
        turn = Turn.of(row, request, self._shelf.account(row.session_id), received_ns=received_ns, request_id=request_id)
        turn.hold_start(release)
        if row.request is None:
            turn.request.when_gone(lambda: self._tasks.create_task(self._record_call(turn)))
        self._begin(turn)
        await asyncio.sleep(0)  # lets the gateway be asked first; the reader's response is prepared meanwhile
        return turn

    async def _record_call(self, turn: Turn) -> None:
        """Records at once which call a turn became whose request is not stored: a process that goes on with it knows it by that alone."""
        try:
            await self._store.checkpoint([(turn.id, turn.content(), turn.job_id, turn.call_id)])
        except Exception:
            logger.exception("the call of the turn %s is not recorded yet", turn.id)

    async def recover(self) -> None:
        """Goes on with the turns that a former process left. Call it before the first request, so that readers find them.

        A turn without streaming is marked interrupted, because the gateway cancelled it when its client died. So is one whose request was
        too long to be stored, if the gateway had not taken it yet.
        """
        rows = await self._store.streaming_turns()
        with shown_before(self._notes, {row.id: row.content for row in rows}) as texts:
            rows = [replace(row, content=texts.get(row.id, row.content)) for row in rows]
            if texts:
                await self._store.checkpoint([(row.id, row.content, row.job_id, row.call_id) for row in rows if row.id in texts])
        for row in rows:
            if row.streaming and (row.request is not None or row.call_id is not None):
                self.adopt(row)
            else:
                await self._store.end_turn(row.id, state="interrupted", content=row.content, error=_RESTARTED, ended_at=time.time())
        if rows:
            logger.info("went on with %d turns of a former process", len(rows))

    def adopt(self, row: RunningTurn) -> None:
        """Goes on with a stream that a former process left. It is read again from the start into a fresh log."""
        self._begin(Turn.left_behind(row, self._shelf.account(row.session_id)))

    def _begin(self, turn: Turn) -> None:
        self._live[turn.id] = turn
        turn.notes = self._shown.notes(turn.id)
        turn.begin(self._tasks.create_task(self._run(turn)))

    async def _place(self) -> Callable[[], None]:
        """Waits for a place among the starting turns. Returns what gives it back."""
        await self._starting.acquire()
        return _once(self._starting.release)

    async def _run(self, turn: Turn) -> None:
        """Runs one turn, from the gateway's request to the end that readers get. A bug here ends this turn and no other."""
        try:
            terminal = await self._answered(turn)
            turn.stop_reading()
            await self._endings.conclude(turn, terminal)
        except Exception:
            logger.exception("turn %s could not be ended in order", turn.id)
            if not turn.ended:
                turn.end(Ending(Outcome.FAILED, turn.fail(mistake()).frame))
        self._shelf.keep(turn.log, partial(self._forget, turn), beside=len(turn.content()))

    def _forget(self, turn: Turn) -> WireError:
        """Forgets an ended turn. Returns the error for readers who come too late."""
        self._live.pop(turn.id, None)
        return stream_expired()

    async def _answered(self, turn: Turn) -> Terminal:
        """Brings the answer into the turn's log. Returns its end."""
        slot: asyncio.TimerHandle | None = None
        try:
            if turn.recovered:
                turn.hold_start(await self._place())
            slot = asyncio.get_running_loop().call_later(START_SLOT_S, turn.release_start)
            return await (follow if turn.streaming else ask)(turn, self._client, wait_s=self._wait_s)
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
        """Stops the answer, at the provider too. What has come stays, and the turn ends as cancelled. It may be called again."""
        turn.ask_to_stop()
        if turn.ended:
            return
        if not turn.streaming or (turn.waiting and turn.phase is Phase.ASKING):
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
        """Asks the gateway until it has answered. The turn then ends through its own stream. Raises SaaSError."""
        while not turn.ended and turn.job_id and turn.call_id:
            try:
                await self._client.cancel(turn.job_id, turn.call_id)
                return
            except GatewayUnreachable:
                await asyncio.sleep(FIRST_PAUSE_S)

    def _abandon(self, turn: Turn) -> None:
        """Stops a turn that nobody reads and nobody can come back to."""
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
