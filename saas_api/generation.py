"""One running call: its log, its marks, how it is stopped, and how it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from enum import Enum, auto
from typing import Any

from llm_providers import ProviderError
from saas_api.attempts import Attempts
from saas_api.calls import Call, Checkpoint
from saas_api.progress import Progress
from wire.errors import ErrorCode, WireError
from wire.log import Account, LogFull, Outcome, StreamLog
from wire.records import Receipt
from wire.timing import HopMarks

logger = logging.getLogger(__name__)


def _nothing() -> None:
    pass


class _Phase(Enum):
    OPEN = auto()  # recorded; no provider has been asked yet
    PUMPING = auto()
    SETTLING = auto()  # its outcome is decided


class Generation:
    """One running call: its log, its marks, and how to stop it."""

    def __init__(self, call: Call, marks: HopMarks, account: Account, *, streamed: bool) -> None:
        self.call = call
        self.marks = marks
        self.streamed = streamed
        self.log: StreamLog = StreamLog(account=account)
        self.progress = Progress(self.log)
        self.completion: dict[str, Any] | None = None
        """The answer of a non-streaming call."""
        self.attempts = Attempts(call.call_id, marks)
        self.receipt: Receipt | None = None
        self.error: WireError | None = None
        """What went wrong, if anything."""
        self.ended = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self.grace: asyncio.TimerHandle | None = None
        """When it fires, it cancels the call, unless there is a reader by then."""
        self.stop: WireError | Outcome | None = None
        """Why it was told to stop: an outcome, or the error to fail with."""
        self._phase = _Phase.OPEN
        self._give_back: Callable[[], None] = _nothing

    def keep_room(self, give_back: Callable[[], None]) -> None:
        """Keeps the room that its request takes. `give_back` is called once the request has been forgotten."""
        self._give_back = give_back

    def forget_request(self) -> None:
        """Lets the request go, which may be long: no provider will be asked any more."""
        if self.call.params:
            self.call = replace(self.call, params={})
        self._give_back()

    def forget_request_if_begun(self) -> None:
        """The same, where a token has come: the rest is asked of no other deployment."""
        if self.streamed and self.progress.has_token():
            self.forget_request()

    def cancel_unread(self) -> None:
        """Cancels the call if nobody reads it."""
        if not self.log.readers:
            self.cancel()

    def checkpoint(self) -> Checkpoint:
        """Returns how far it has come."""
        deployment = self.attempts.deployment
        return Checkpoint(self.call.call_id, len(self.log), deployment.model if deployment else "")

    def cancel(self, why: WireError | Outcome = Outcome.CANCELLED) -> None:
        """Stops the provider now. The call is settled for what came. It does nothing once the call is being settled."""
        if self.stop is None and self._phase is not _Phase.SETTLING:
            self.stop = why
            if self._phase is _Phase.PUMPING and self.task is not None:
                self.task.cancel()

    async def guarded(self, pump: Coroutine[Any, Any, None]) -> None:
        """Runs the pump and turns each way it can end into `stop` or `error`. A cancellation stops here."""
        try:
            if self._stopped():
                pump.close()
            else:
                self._phase = _Phase.PUMPING
                await pump
        except asyncio.CancelledError:
            if self.task is None or not self._stopped():
                raise
            self.task.uncancel()
        except ProviderError as error:
            self.error = error.to_wire()
        except WireError as error:
            self.error = error
        except LogFull as error:
            self.error = WireError(ErrorCode.UPSTREAM_PROTOCOL, f"The answer exceeds {error.limit} bytes.", retryable=False)
        except Exception:
            logger.exception("the call %s failed unexpectedly", self.call.call_id)
            self.error = WireError(ErrorCode.INTERNAL_ERROR, "The server made a mistake; it has been logged.")
        self._phase = _Phase.SETTLING
        if isinstance(self.stop, WireError):
            self.error = self.stop

    def _stopped(self) -> bool:
        return self.stop is not None

    @property
    def outcome(self) -> Outcome:
        """How it ended, as far as known."""
        if self.error is not None:
            return Outcome.FAILED
        return self.stop if isinstance(self.stop, Outcome) else Outcome.FINISHED
