"""How far the answer in a call's log has come: whether a token is there, whether it is finished, whether more is to be waited for.

The frames are parsed only when one of these is asked, never while a chunk passes.
"""

from __future__ import annotations

from hop.fold import Fold
from llm_providers.errors import ProviderFault, Truncated
from llm_providers.faults import is_failing
from wire.log import StreamLog

_SOME_FRAMES = 32
"""A provider has begun its answer when it has sent more frames than this, whatever they contain. Its finish is looked for in as many."""
_QUIET_LOOKS = 2


class Progress:
    """The progress of one answer (`llm_providers.transport.Progress`)."""

    __slots__ = ("_log", "_looks", "_seen", "fold")

    def __init__(self, log: StreamLog) -> None:
        self.fold = Fold()
        """What the answer adds up to, as far as somebody has asked."""
        self._log = log
        self._seen = self._looks = 0

    def has_token(self) -> bool:
        """Whether the reader has part of an answer. A role or an empty chunk is none."""
        fold = Fold()
        fold.take(self._log.frames(0, _SOME_FRAMES))
        return fold.first_token is not None or len(self._log) > _SOME_FRAMES

    def is_over(self) -> bool:
        """Whether the model has told why it stopped, and nothing has come between this look and the last but one."""
        there = len(self._log)
        if there != self._seen:
            self._seen, self._looks = there, 0
            return False
        self._looks += 1
        if self._looks < _QUIET_LOOKS:
            return False
        fold = Fold()
        fold.take(self._log.frames(max(0, there - _SOME_FRAMES)))
        return fold.answer.finish_reason is not None

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
        if answer.finish_reason is not None:
            if is_failing(answer.finish_reason):
                raise ProviderFault("The model provider broke the answer off.")
        elif not answer.deltas and answer.usage is None:
            raise Truncated("The model provider ended the stream without an answer.")
