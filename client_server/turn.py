"""A turn that is running, or has ended so recently that its stream can still be read.

A turn goes through its phases once, in order. Many read its fields, but only its own methods change them. Chunks go through the methods
of `log` and `marks`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple, Self

from client_server.held import HeldRequest
from client_server.notes import Notes
from client_server.store import RunningTurn
from hop.fold import Fold
from saas_client import Stream
from wire.errors import WireError
from wire.frames import failed_frame
from wire.log import CLOSING_BYTES, DEFAULT_MAX_LOG_BYTES, Account, Ending, StreamLog
from wire.records import HopRecord
from wire.timing import HopMarks

logger = logging.getLogger(__name__)

SILENCE_S = 45.0
"""The gateway pings every 15 s. If three pings are missing, the connection is dead, even if no error has come."""


class Phase(IntEnum):
    """How far a turn has come."""

    ASKING = 1
    """The gateway has not accepted the call yet."""
    ANSWERING = 2
    """The gateway has accepted it, and the answer comes."""
    ENDING = 3
    """Nothing more will come; the end is being saved."""
    ENDED = 4
    """Readers can have the end."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """The end of a stream as it came: the terminal frame, and the frames without an id before it."""

    frame: bytes
    before: bytes = b""


class Checkpoint(NamedTuple):
    """How much of a turn the database has."""

    frames: int = 0
    characters: int = 0
    """The length of the text of these frames."""
    call_id: str | None = None


def _nothing() -> None:
    pass


def _log(account: Account) -> StreamLog:
    return StreamLog(max_bytes=DEFAULT_MAX_LOG_BYTES + CLOSING_BYTES, account=account)


@dataclass(eq=False, slots=True)
class Turn:
    """The live side of a turn. Its stored side is the row with the same id."""

    id: str
    session_id: str
    conversation_id: str | None
    streaming: bool
    request: HeldRequest
    created_at: float
    """When it was asked, in Unix seconds."""
    marks: HopMarks
    request_id: str | None = None
    recovered: bool = False
    """A former process began it."""
    saved_content: str = ""
    """The text that the former process had saved."""
    job_id: str | None = None
    call_id: str | None = None
    log: StreamLog = field(default_factory=StreamLog)
    notes: Notes = field(default_factory=Notes)
    """Where its frames are noted before the log gets them."""
    fold: Fold = field(default_factory=Fold)
    phase: Phase = Phase.ASKING
    hops: list[HopRecord] = field(default_factory=list)
    """The hops' records as they are saved at the end."""
    failure: WireError | None = None
    """Why it failed, if it has."""
    stopping: bool = False
    """Whether somebody has asked to stop it."""
    waiting: bool = False
    """Whether it waits for a gateway that is not there. The call has not begun then."""
    aborted: bool = False
    """Whether its task was cancelled to end the turn, not because the process ends."""
    checkpointed: Checkpoint = field(default_factory=Checkpoint)
    """The last one."""
    _release_start: Callable[[], None] = _nothing
    _accepted: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None
    _stream: Stream | None = None
    _heard: tuple[int, float] = (0, 0.0)
    """The number of reads when it was last seen to change, and the time of that."""

    @classmethod
    def of(
        cls, row: RunningTurn, request: dict[str, Any], account: Account, *, received_ns: int | None = None, request_id: str | None = None
    ) -> Self:
        """Makes a new turn for this request of the gateway's."""
        marks = HopMarks("client_server", received_ns=received_ns)
        return cls(
            row.id,
            row.session_id,
            row.conversation_id,
            row.streaming,
            HeldRequest(request),
            row.created_at,
            marks,
            request_id,
            log=_log(account),
        )

    @classmethod
    def left_behind(cls, row: RunningTurn, account: Account) -> Self:
        """Makes a turn of a stream that a former process left unfinished."""
        marks = HopMarks("client_server", resumed=True)
        turn = cls(row.id, row.session_id, row.conversation_id, True, HeldRequest(row.request), row.created_at, marks, log=_log(account))
        turn.recovered, turn.saved_content = True, row.content
        turn.job_id, turn.call_id = row.job_id, row.call_id
        return turn

    # -- its course

    def begin(self, task: asyncio.Task[None]) -> None:
        """Starts it: this task brings the answer and ends the turn."""
        self._task = task

    def hold_start(self, release: Callable[[], None]) -> None:
        """Notes that it has a place among the starting turns. `release` gives it back, and may be called twice."""
        self._release_start = release

    def release_start(self) -> None:
        """Lets the next turn start. Calling it again does nothing."""
        self._release_start()

    def wait_for_gateway(self) -> None:
        """Notes that there is no gateway at the moment. It is asked again soon."""
        if not self.waiting:
            logger.warning("turn %s waits for the gateway", self.id)
        self.waiting = True
        self.release_start()

    def accept(self, stream: Stream) -> None:
        """Notes that the gateway has accepted the call. `stream` is its first stream, or one that resumes it."""
        self._stream = stream
        self.waiting = False
        self._known_as(stream.job_id, stream.call_id)
        if self.marks.headers_at is None:
            self.marks.headers()
        self.release_start()

    def take_whole(self, frames: Sequence[bytes], job_id: str | None, call_id: str | None) -> None:
        """Takes an answer that came in one piece, as frames."""
        if self.marks.headers_at is None:
            self.marks.headers()
        self.marks.arrived(1, sum(map(len, frames)))
        self.notes.add(self.notes.key, frames)
        self.log.append(frames)
        self._known_as(job_id, call_id)

    def _known_as(self, job_id: str | None, call_id: str | None) -> None:
        self.job_id, self.call_id = job_id or self.job_id, call_id or self.call_id
        if self.job_id and self.call_id:
            self.request.forget()
        self.phase = Phase.ANSWERING
        self._accepted.set()

    def stop_reading(self) -> None:
        """Notes that the answer is over, in whatever way. There is nothing to abort any more."""
        self._task = self._stream = None
        self.request.forget()
        self.phase = Phase.ENDING

    def fail(self, error: WireError) -> Terminal:
        """Notes an error of this server, or one before the gateway's stream began. Returns its terminal frame."""
        error.request_id = error.request_id or self.request_id
        error.hop = error.hop or "client_server"
        self._keep(error)
        return Terminal(failed_frame(error))

    def failed_above(self, error: WireError) -> None:
        """Notes the error of the gateway's terminal frame, unless one is known already."""
        if self.failure is None:
            self._keep(error)

    def _keep(self, error: WireError) -> None:
        """Keeps the error without its traceback, whose frames refer to this turn: a cycle would wait for the collector."""
        error.__traceback__ = error.__context__ = error.__cause__ = None
        self.failure = error

    async def first_token_us(self) -> int | None:
        """When the first token came, on the clock of this hop's marks. None if none has come."""
        await self.fold.follow(self.log)
        return None if self.fold.first_token is None else self.marks.arrival_us(self.fold.first_token)

    def sum_up(self) -> HopRecord:
        """Makes this hop's record and returns it. `hops` then holds all records."""
        own = self.marks.to_dict(self.fold.first_token)
        self.hops = [*self.fold.hops, own]
        return own

    def end(self, ending: Ending) -> None:
        """Gives its readers the end."""
        self.log.end(ending)
        self.phase = Phase.ENDED
        self._accepted.set()

    # -- stopping it

    def ask_to_stop(self) -> None:
        """Notes that somebody wants it stopped."""
        self.stopping = True

    def abort(self) -> None:
        """Cuts the answer off here. The turn then ends in order."""
        if self._task is not None and not self.aborted:
            self.aborted = True
            self._task.cancel()

    def was_aborted(self) -> bool:
        """Its task calls this when it is cancelled. If `abort` did it, the task must go on to the end."""
        if self.aborted and self._task is not None:
            self._task.uncancel()
        return self.aborted

    def cut_off(self) -> None:
        """Cuts it off because the process ends. The next process goes on with it."""
        if self._task is not None:
            self._task.cancel()

    async def accepted(self) -> None:
        """Returns once the gateway has accepted the call, or the turn has ended before that."""
        await self._accepted.wait()

    # -- its state

    @property
    def ended(self) -> bool:
        """Whether readers can have the end."""
        return self.phase is Phase.ENDED

    @property
    def has_moved(self) -> bool:
        """Whether a checkpoint would save something new."""
        saved = self.checkpointed
        return self.phase < Phase.ENDING and (saved.frames, saved.call_id) != (len(self.log), self.call_id)

    def content(self) -> str:
        """Returns the text of the folded frames (a refusal, if it is all there is), or what a former process saved if that is longer."""
        text = self.fold.content or self.fold.answer.refusal
        return text if len(text) >= len(self.saved_content) else self.saved_content

    def note_checkpoint(self, saved: Checkpoint) -> None:
        """Notes what is saved."""
        self.checkpointed = saved

    def reached(self) -> Checkpoint:
        """Returns the checkpoint that saves what is folded now."""
        return Checkpoint(self.fold.index, len(self.fold.content), self.call_id)

    def is_abandoned(self, now: float, grace_s: float) -> bool:
        """Whether it has had no reader for the grace period and belongs to no conversation. `now` is `time.monotonic()`."""
        since = self.log.unread_since
        return self.conversation_id is None and since is not None and now - since >= grace_s

    def drop_dead_connection(self, now: float) -> None:
        """Closes a connection to the gateway that has been silent for too long. The turn then resumes on another."""
        reads, since = self._heard
        if self._stream is None or self.marks.reads != reads or since == 0.0:
            self._heard = (self.marks.reads, now)
        elif now - since >= SILENCE_S:
            self._heard = (reads, now)
            self._stream.close()
