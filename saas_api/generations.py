"""The way of a chunk into the gateway: a provider's frames get their ids and go into a log, whether or not anybody reads it.

Strategy. Each generation is a task of the app. It pumps the provider's frames into its log. When that ends, in whatever way, it
settles the call, writes `receipt` and `hop`, and closes the log. Cancelling (Stop, no reader for too long, shutdown) interrupts
only the pump: the provider's socket closes at once, and the settlement always runs to its end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from functools import partial

from hop.shelf import Shelf
from llm_providers import ProtocolViolation, ProviderError, ProviderTimeout, Target, Transport, Truncated
from saas_api.calls import LEASE_S, AlreadySettled, Call, Calls, Settlement, stream_expired
from saas_api.generation import Generation
from saas_api.intake import Intake
from saas_api.model_groups import ModelGroups
from saas_api.progress import Progress
from saas_api.usage import estimate_completion_tokens, trusted_text, trusted_usage
from serving.patience import Patience
from serving.turnstile import ENDS_PER_PASS, Turnstile
from storage.outages import DatabaseAway
from wire.chunks import text_of
from wire.context import request_id_var
from wire.errors import ErrorCode, WireError
from wire.frames import DONE, failed_frame, hop_frame, numbered, receipt_frame
from wire.log import Ending, Outcome
from wire.records import Receipt
from wire.timing import HopMarks

logger = logging.getLogger(__name__)

HOP = "saas_api"
SETTLE_PATIENCE_S = 15.0
"""After the first failure, settling a call is tried again for so long. Then its reader is told, and the call is settled later."""
_FIRST_READER_S = 5.0
"""The shortest grace: the first reader is the response that is still being prepared."""


class Generations:
    """Owns every running generation. Its log stays on the shelf for a while after the end.

    `grace_s`: how long a generation goes on without a reader. `root_path`: what the addresses in its errors begin with.
    """

    def __init__(
        self, calls: Calls, groups: ModelGroups, transport: Transport, shelf: Shelf, *, grace_s: float, root_path: str = ""
    ) -> None:
        self._calls = calls
        self._groups = groups
        self._transport = transport
        self._grace_s = grace_s
        self._root_path = root_path
        self._shelf = shelf
        self._by_call: dict[str, Generation] = {}
        self._running: set[Generation] = set()
        self._unsettled: dict[str, tuple[Call, Settlement]] = {}
        self._draining = self._hurried = False
        self._reap_from = 0.0
        """The `time.monotonic()` from which on a lease that has run out means a dead server."""
        self._turnstile = Turnstile(ENDS_PER_PASS)

    def get(self, call_id: str) -> Generation | None:
        """Returns a generation that runs here, or ended here a short time ago."""
        return self._by_call.get(call_id)

    @property
    def busy(self) -> bool:
        """Whether any generation is running."""
        return bool(self._running)

    def check_open(self, owner: str) -> None:
        """Raises WireError SHUTTING_DOWN once no new calls are accepted, and RATE_LIMITED if this owner's answers fill their memory."""
        if self._draining:
            raise WireError(ErrorCode.SHUTTING_DOWN, "The server is shutting down.", retry_after=1.0)
        self._shelf.check(owner)

    def start(self, call: Call, owner: str, *, received_ns: int, streamed: bool) -> Generation:
        """Starts an open call. From here it runs on its own. `owner` is the virtual key's id."""
        generation = Generation(call, HopMarks(HOP, received_ns=received_ns), self._shelf.account(owner), streamed=streamed)
        self._by_call[call.call_id] = generation
        self._running.add(generation)
        generation.task = asyncio.get_running_loop().create_task(self._live(generation), name=call.call_id)
        if self._draining:
            generation.cancel(_shutting_down())
        if streamed:
            self._watch(generation, max(self._grace_s, _FIRST_READER_S))
        return generation

    def reader_left(self, generation: Generation, grace_s: float | None = None) -> None:
        """Call it when a reader has left. The grace starts when the last one has."""
        if not generation.ended.is_set() and not generation.log.readers:
            self._watch(generation, self._grace_s if grace_s is None else grace_s)

    async def drain(self, limit_s: float) -> None:
        """Accepts no new calls, waits up to the limit for running ones, and ends the rest as `shutting_down`."""
        self._draining = True
        tasks = [generation.task for generation in self._running if generation.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=limit_s)
        self._hurried = True
        for generation in list(self._running):
            generation.cancel(_shutting_down())
        if rest := [generation.task for generation in self._running if generation.task is not None]:
            await asyncio.wait(rest)
        with suppress(DatabaseAway):
            await self.settle_rest()

    async def keep_leases(self) -> None:
        """Renews the leases of this server's calls and settles those that it could not settle before, or that dead servers left.

        Runs until it is cancelled.
        """
        while True:
            await asyncio.sleep(LEASE_S / 3)
            for generation in self._running:
                generation.forget_request_if_begun()
            try:
                await self._calls.renew([generation.checkpoint() for generation in self._running])
                await self.settle_rest()
                if time.monotonic() >= self._reap_from:
                    await self._calls.reap({generation.call.call_id for generation in self._running})
            except DatabaseAway:
                self._reap_from = time.monotonic() + 2 * LEASE_S  # other servers could not renew theirs either
                logger.warning("the leases could not be renewed; %d calls wait to be settled", len(self._unsettled))
            except Exception:
                logger.exception("the leases could not be renewed")

    async def settle_rest(self) -> None:
        """Settles the calls whose end could not be recorded. Raises DatabaseAway if it still cannot be."""
        for call, end in list(self._unsettled.values()):
            try:
                await self._calls.settle(call, end)
                logger.info("the call %s is settled after all", call.call_id)
            except AlreadySettled:
                logger.warning("the call %s was settled by another server, as interrupted", call.call_id)
            except DatabaseAway:
                raise
            except Exception:
                logger.exception("the call %s cannot be settled", call.call_id)
            del self._unsettled[call.call_id]

    # -- one generation's life ------------------------------------------------------------------------------------------

    async def _live(self, generation: Generation) -> None:
        try:
            await generation.guarded(self._answer(generation))
            trailer = await self._settled(generation)
        except DatabaseAway:
            trailer = _unrecorded(generation, "The end of this call could not be recorded yet.")
        except Exception:
            logger.exception("the end of the call %s could not be recorded", generation.call.call_id)
            trailer = _unrecorded(generation, "The end of this call could not be recorded.")
        try:
            generation.log.end(Ending(generation.outcome, trailer))
        finally:
            generation.ended.set()
            if generation.grace is not None:
                generation.grace.cancel()
            self._running.discard(generation)
            generation.progress.forget()
            whole = 0 if generation.completion is None else generation.marks.bytes
            self._shelf.keep(generation.log, partial(self._forget, generation), beside=whole)

    def _forget(self, generation: Generation) -> WireError:
        """Forgets an ended generation. Returns the error for readers who come too late."""
        self._by_call.pop(generation.call.call_id, None)
        return stream_expired(generation.call.job_id, self._root_path)

    async def _answer(self, generation: Generation) -> None:
        """Asks one deployment after another until one has answered, or until an error rules out further attempts."""
        attempts, group = generation.attempts, generation.call.model_group
        ask = self._pump if generation.streamed else self._ask
        deployment = self._groups.choose(group)
        while deployment is not None:
            attempts.begin(deployment)
            try:
                await ask(generation, deployment.target)
                return
            except ProviderError as error:
                attempts.failed(error)
                following = self._groups.choose(group, attempts.tried)
                if following is None or not error.elsewhere or generation.progress.has_token():
                    raise
                deployment = following

    async def _pump(self, generation: Generation, target: Target) -> None:
        """Streams one answer. Once it is finished, no fault of the transport takes it away; an error that the provider reports does."""
        marks, progress = generation.marks, Progress(generation.log)
        generation.progress = progress
        intake = Intake(generation.log, marks)
        marks.sent()
        try:
            await self._transport.stream(target, generation.call.params, intake.take, accepted=marks.headers, progress=progress)
        except (ProtocolViolation, ProviderTimeout, Truncated):
            if not await progress.is_finished():
                raise
        await progress.check()

    async def _ask(self, generation: Generation, target: Target) -> None:
        """The same for a non-streaming call."""
        generation.marks.sent()
        generation.completion, size = await self._transport.complete(target, generation.call.params)
        generation.marks.arrived(1, size)

    async def _settled(self, generation: Generation) -> bytes:
        """Settles the call, writes the closing frames into the log, and returns the terminal frame."""
        generation.forget_request()
        await self._turnstile.enter()
        error, log = generation.error, generation.log
        if error is not None:
            error.hop, error.request_id = HOP, request_id_var.get()
        generation.receipt = await self._recorded(generation, await self._settlement(generation))
        if generation.streamed:
            log.append([numbered(len(log), receipt_frame(generation.receipt))], closing=True)
            log.append([numbered(len(log), hop_frame(generation.marks.to_dict(generation.progress.fold.first_token)))], closing=True)
        return DONE if error is None else failed_frame(error)

    async def _recorded(self, generation: Generation, end: Settlement) -> Receipt:
        """Settles the call. It tries again while the database is away; if that is too long, the call is settled once it is back."""
        call, patience = generation.call, Patience(SETTLE_PATIENCE_S)
        while True:
            try:
                return await self._calls.settle(call, end)
            except DatabaseAway:
                if self._hurried or not await patience.pause():
                    self._unsettled[call.call_id] = (call, end)
                    raise

    async def _settlement(self, generation: Generation) -> Settlement:
        """Sums the call up. It trusts nothing that the provider said: types and values are checked."""
        completion, error, attempts = generation.completion, generation.error, generation.attempts
        first_token: int | None = 0  # a whole answer is its own first token
        if completion is not None:
            choice = completion["choices"][0]
            raw_usage, finish_reason, message = completion.get("usage"), choice.get("finish_reason"), choice["message"]
            deltas, text = 0, text_of(message.get("content"))
        else:
            fold = generation.progress.fold
            await fold.follow(generation.log)
            answer = fold.answer
            raw_usage, finish_reason = answer.usage, answer.finish_reason
            deltas, text = answer.deltas, answer.content + answer.reasoning
            message, first_token = answer.message() if answer.deltas else None, fold.first_token
        told = usage = trusted_usage(raw_usage)
        if told is not None and generation.outcome is not Outcome.FINISHED and told["completion_tokens"] < deltas:
            usage = None  # it was told on the way, for a part of the answer
        if usage is None:
            began = attempts.deployment is not None and (error is None or bool(deltas))  # a provider that refused the call has used nothing
            prompt = told["prompt_tokens"] if told is not None else generation.call.prompt_estimate if began else 0
            usage = {"prompt_tokens": prompt, "completion_tokens": estimate_completion_tokens(deltas, text)}
        return Settlement(
            outcome=generation.outcome,
            deployment=attempts.deployment,
            attempts=attempts.records(generation.outcome, told, first_token),
            usage=usage,
            estimated=usage is not told,
            finish_reason=trusted_text(finish_reason),
            message=message,
            error=error,
        )

    def _watch(self, generation: Generation, grace_s: float) -> None:
        """Cancels the generation if it has had no reader for the grace. Each reader that leaves starts it again."""
        if generation.grace is not None:
            generation.grace.cancel()
        generation.grace = asyncio.get_running_loop().call_later(grace_s, generation.cancel_unread)


def _unrecorded(generation: Generation, message: str) -> bytes:
    """The call fails for its readers with this message, whatever becomes of its record. Returns the terminal frame."""
    generation.error = WireError(ErrorCode.INTERNAL_ERROR, message, hop=HOP)
    return failed_frame(generation.error)


def _shutting_down() -> WireError:
    return WireError(ErrorCode.SHUTTING_DOWN, "The server shut down before the answer was finished.", retry_after=1.0)
