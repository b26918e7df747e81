"""A turn that is running, or has ended a short while ago and can still be read again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hop.fold import Fold
from saas_client import Stream
from wire.errors import WireError
from wire.log import CLOSING_BYTES, DEFAULT_MAX_LOG_BYTES, StreamLog
from wire.records import HopRecord
from wire.timing import HopMarks


def _nothing() -> None:
    pass


@dataclass(eq=False, slots=True)
class Turn:
    """The live side of a turn; what outlasts it is the row of the same id.

    `request` is what the gateway is asked: `messages`, `model_group` and OpenAI's parameters. `job_id` and `call_id` are
    known as soon as the gateway has accepted the call.
    """

    id: str
    session_id: str
    conversation_id: str | None
    streaming: bool
    request: dict[str, Any]
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
    accepted: asyncio.Event = field(default_factory=asyncio.Event)
    """The gateway has accepted the call, or the turn has ended without."""
    stopping: bool = False
    """Its reader asked to stop it."""
    aborted: bool = False
    """Its task was cancelled in order to end the turn here, not because the process ends."""
    checkpointed: tuple[int, str | None] = (0, None)
    """How many frames the last checkpoint had folded, and the call id it had."""
    task: asyncio.Task[None] | None = None
    stream: Stream | None = None
    """The connection to the gateway that was opened last."""
    heard: tuple[int, float] = (0, 0.0)
    """How many reads there had been when upkeep last saw a new one, and when that was."""
    hops: list[HopRecord] = field(default_factory=list)
    """The hops' records as they were saved, once the turn has ended."""
    failure: WireError | None = None
    """Why it failed, once it has."""
    release_start: Callable[[], None] = _nothing
    """Lets the next turn start; calling it again does nothing."""

    def accept(self, stream: Stream) -> None:
        """The gateway has accepted the call, and this is its stream."""
        self.stream = stream
        self.job_id, self.call_id = stream.job_id or self.job_id, stream.call_id or self.call_id
        if self.marks.headers_at is None:
            self.marks.headers()
        self.accepted.set()
        self.release_start()

    def content(self) -> str:
        """The text as far as the frames have been folded, or as a former process had saved it, whichever is further."""
        text = self.fold.content
        return text if len(text) >= len(self.saved_content) else self.saved_content

    @property
    def ended(self) -> bool:
        """Whether every reader can have the end now."""
        return self.log.ending is not None
