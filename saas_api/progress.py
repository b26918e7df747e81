"""How far one attempt at an answer has come in its call's log: whether a token is there, whether it is finished, whether to wait for more.

The frames are parsed only when one of these is asked, never while a chunk passes. Each attempt has a progress of its own: what another
deployment sent before it failed is no part of this answer.
"""

from __future__ import annotations

from hop.fold import Fold
from llm_providers.errors import ProtocolViolation, ProviderFault, Truncated
from llm_providers.faults import is_failing
from wire.log import StreamLog

_SOME_FRAMES = 32
"""A provider has begun its answer when it has sent more frames than this, whatever they contain. Its finish is looked for in as many."""
_QUIET_LOOKS = 2


class Progress:
    """The progress of one attempt, from the log's present end on (`llm_providers.transport.Progress`)."""

    __slots__ = ("_begun", "_log", "_looks", "_over", "_seen", "_start", "fold")

    def __init__(self, log: StreamLog) -> None:
        self._log = log
        self._start = self._seen = len(log)
        self.fold = Fold(self._start)
        """What the answer adds up to, as far as somebody has asked."""
        self._looks = 0
        self._begun = self._over = False

    def has_token(self) -> bool:
        """Whether the reader has part of an answer. A role or an empty chunk is none."""
        if not self._begun:
            fold = Fold(self._start)
            fold.take(self._log.frames(self._start, self._start + _SOME_FRAMES))
            self._begun = fold.first_token is not None or len(self._log) > self._start + _SOME_FRAMES
        return self._begun

    def is_over(self) -> bool:
        """Whether the model has told why it stopped, and nothing has come between this look and the last but one."""
        there = len(self._log)
        if there != self._seen:
            self._seen, self._looks, self._over = there, 0, False
            return False
        self._looks += 1
        if self._looks == _QUIET_LOOKS:
            fold = Fold()
            fold.take(self._log.frames(max(self._start, there - _SOME_FRAMES)))
            self._over = fold.answer.finish_reason is not None
        return self._over

    async def is_finished(self) -> bool:
        """Whether the model has told why it stopped. What its server or the network does after that takes nothing from the answer."""
        await self.fold.follow(self._log)
        return self.fold.answer.finish_reason is not None

    def forget(self) -> None:
        """Lets go of what the answer adds up to: the log stays for a while, and holds it too."""
        self.fold = Fold()

    async def check(self) -> None:
        """To be called at the end. Raises ProviderError if what came is no answer: the model broke off, or nothing came at all."""
        await self.fold.follow(self._log)
        answer = self.fold.answer
        if self.fold.unreadable:
            raise ProtocolViolation("The model provider sent something that is not JSON.")
        if answer.finish_reason is not None:
            if is_failing(answer.finish_reason):
                raise ProviderFault("The model provider broke the answer off.")
        elif not answer.deltas:
            raise Truncated("The model provider ended the stream without an answer.")
