"""A turn that is running, or has ended a short while ago and can still be read again.

A turn goes through its phases once, in order. Its fields are read by many, and changed by its own methods alone; `log` and `marks` have
methods of their own for the chunks that pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Self

from client_server.store import RunningTurn
from hop.fold import Fold
from saas_client import Stream
from wire.errors import WireError
from wire.frames import failed_frame
from wire.log import CLOSING_BYTES, DEFAULT_MAX_LOG_BYTES, Ending, StreamLog
from wire.records import HopRecord
from wire.timing import HopMarks

SILENCE_S = 45.0
"""The gateway pings every 15 s: after three of them missed, the connection is dead, though nobody has said so."""


class Phase(IntEnum):
    """How far a turn has come."""

    ASKING = 1
    """The gateway has not accepted the call yet."""
    ANSWERING = 2
    """It has, and the answer comes."""
    ENDING = 3
    """Nothing more comes: the end is being saved."""
    ENDED = 4
    """Every reader can have the end."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """The end as it came: the terminal frame, and the frames without an id directly before it."""

    frame: bytes
    before: bytes = b""


def _nothing() -> None:
    pass


@dataclass(eq=False, slots=True)
class Turn:
    """The live side of a turn; what outlasts it is the row of the same id."""

    id: str
    session_id: str
    conversation_id: str | None
    streaming: bool
    request: dict[str, Any]
    """What the gateway is asked: `messages`, `model_group` and OpenAI's parameters."""
    created_at: float
    """When it was asked, in Unix seconds."""
    marks: HopMarks
    request_id: str | None = None
    recovered: bool = False
    """A process before this one began it."""
    saved_content: str = ""
    """What that process had saved of the text."""
    job_id: str | None = None
    call_id: str | None = None
    log: StreamLog = field(default_factory=lambda: StreamLog(max_bytes=DEFAULT_MAX_LOG_BYTES + CLOSING_BYTES))
    fold: Fold = field(default_factory=Fold)
    phase: Phase = Phase.ASKING
    hops: list[HopRecord] = field(default_factory=list)
    """The hops' records as they are saved, once the turn ends."""
    failure: WireError | None = None
    """Why it failed, once it has."""
    stopping: bool = False
    """Somebody has asked to stop it."""
    aborted: bool = False
    """Its task was cancelled in order to end the turn here, not because the process ends."""
    checkpointed: tuple[int, str | None] = (0, None)
    """How many frames the last checkpoint had folded, and the call id it had."""
    _release_start: Callable[[], None] = _nothing
    _accepted: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None
    _stream: Stream | None = None
    _heard: tuple[int, float] = (0, 0.0)
    """How many reads there had been when a new one was last seen, and when that was."""

    @classmethod
    def of(cls, row: RunningTurn, *, received_ns: int | None = None, request_id: str | None = None) -> Self:
        """A turn that begins with this request."""
        marks = HopMarks("client_server", received_ns=received_ns)
        return cls(row.id, row.session_id, row.conversation_id, row.streaming, row.request or {}, row.created_at, marks, request_id)

    @classmethod
    def left_behind(cls, row: RunningTurn) -> Self:
        """A stream that a former process has left in the middle."""
        marks = HopMarks("client_server", resumed=True)
        turn = cls(row.id, row.session_id, row.conversation_id, True, row.request or {}, row.created_at, marks)
        turn.recovered, turn.saved_content = True, row.content
        turn.job_id, turn.call_id = row.job_id, row.call_id
        return turn

    # Its course.

    def begin(self, task: asyncio.Task[None]) -> None:
        """This task brings the answer, and ends the turn."""
        self._task = task

    def hold_start(self, release: Callable[[], None]) -> None:
        """It has one of the places for turns that begin; `release` gives it back, and may be called twice."""
        self._release_start = release

    def release_start(self) -> None:
        """Lets the next turn start; calling it again does nothing."""
        self._release_start()

    def accept(self, stream: Stream) -> None:
        """The gateway has accepted the call, and this is its stream: the first one, or one that resumes it."""
        self._stream = stream
        self._known_as(stream.job_id, stream.call_id)
        if self.marks.headers_at is None:
            self.marks.headers()
        self.release_start()

    def take_whole(self, frames: Sequence[bytes], job_id: str | None, call_id: str | None) -> None:
        """The answer came in one piece, put into these frames."""
        if self.marks.headers_at is None:
            self.marks.headers()
        self.marks.arrived(1, sum(map(len, frames)))
        self.log.append(frames)
        self._known_as(job_id, call_id)

    def _known_as(self, job_id: str | None, call_id: str | None) -> None:
        self.job_id, self.call_id = job_id or self.job_id, call_id or self.call_id
        self.phase = Phase.ANSWERING
        self._accepted.set()

    def stop_reading(self) -> None:
        """The answer is over, however it went: from here on there is nothing to cut off."""
        self._task = self._stream = None
        self.phase = Phase.ENDING

    def fail(self, error: WireError) -> Terminal:
        """Something went wrong on this side of the gateway, or before its stream began; the terminal frame that says so."""
        error.request_id = error.request_id or self.request_id
        error.hop = error.hop or "client_server"
        self._keep(error)
        return Terminal(failed_frame(error))

    def failed_above(self, error: WireError) -> None:
        """The gateway's terminal frame says why; what is known here already weighs more."""
        if self.failure is None:
            self._keep(error)

    def _keep(self, error: WireError) -> None:
        """Keeps the error without the frames that it came through: they refer to this turn, and a cycle would wait for the collector."""
        error.__traceback__ = error.__context__ = error.__cause__ = None
        self.failure = error

    def sum_up(self) -> HopRecord:
        """This hop's record as the end has it; `hops` then holds all of them."""
        own = self.marks.to_dict()
        self.hops = [*self.fold.hops, own]
        return own

    def end(self, ending: Ending) -> None:
        """Lets its readers have the end."""
        self.log.end(ending)
        self.phase = Phase.ENDED
        self._accepted.set()

    # Stopping it.

    def ask_to_stop(self) -> None:
        """Somebody wants it stopped."""
        self.stopping = True

    def abort(self) -> None:
        """Cuts the answer off here; the turn then ends in order."""
        if self._task is not None and not self.aborted:
            self.aborted = True
            self._task.cancel()

    def was_aborted(self) -> bool:
        """For its task, when it is cancelled: whether that was `abort`. Then the task goes on to the end."""
        if self.aborted and self._task is not None:
            self._task.uncancel()
        return self.aborted

    def cut_off(self) -> None:
        """The process ends. The turn does not: the next process goes on with it."""
        if self._task is not None:
            self._task.cancel()

    async def accepted(self) -> None:
        """Returns once the gateway has accepted the call, or the turn has ended without."""
        await self._accepted.wait()

    # What its owner looks at.

    @property
    def ended(self) -> bool:
        """Whether every reader can have the end now."""
        return self.phase is Phase.ENDED

    @property
    def has_moved(self) -> bool:
        """Whether a checkpoint would save something new."""
        return self.phase < Phase.ENDING and self.checkpointed != (len(self.log), self.call_id)

    def content(self) -> str:
        """The text as far as the frames have been folded, or as a former process had saved it, whichever is further."""
        text = self.fold.content
        return text if len(text) >= len(self.saved_content) else self.saved_content

    def note_checkpoint(self, place: tuple[int, str | None]) -> None:
        """This much is saved: frames folded, and the call id."""
        self.checkpointed = place

    def is_abandoned(self, now: float, grace_s: float) -> bool:
        """Whether nobody has read it for so long, by `time.monotonic()`, and no conversation leads back to it."""
        since = self.log.unread_since
        return self.conversation_id is None and since is not None and now - since >= grace_s

    def drop_dead_connection(self, now: float) -> None:
        """Closes a connection to the gateway that has been silent for too long; the turn then resumes on another."""
        reads, since = self._heard
        if self._stream is None or self.marks.reads != reads or since == 0.0:
            self._heard = (self.marks.reads, now)
        elif now - since >= SILENCE_S:
            self._heard = (reads, now)
            self._stream.close()
