"""When each token is due.

The schedule is absolute: token k is due `first_token + k * gap` after the request arrived, plus or minus a jitter that depends on
k and the seed only. A late token does not delay the next one, so a stream of any length keeps its rate.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from hashlib import blake2b

from wire.timing import now_ns

JITTER = 0.2
"""The largest deviation of a token from its due time, as a share of the gap. Below one half, the order is kept."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The due times of one answer, in nanoseconds of `wire.timing.now_ns`. The same seed gives the same jitter."""

    start_ns: int
    first_token_ms: float
    gap_ms: float
    seed: str
    jitter: float = JITTER

    def due_ns(self, index: int) -> int:
        """When token `index` is due. The first token has no jitter."""
        return self.start_ns + int(1e6 * (self.first_token_ms + index * self.gap_ms + self.offset_ms(index)))

    def offset_ms(self, index: int) -> float:
        """The jitter of token `index`, in milliseconds."""
        if index == 0 or not self.jitter:
            return 0.0
        digest = blake2b(f"{self.seed}:{index}".encode(), digest_size=4).digest()
        return (int.from_bytes(digest) / 2**31 - 1) * self.jitter * self.gap_ms

    async def wait(self, index: int) -> None:
        """Returns when token `index` is due, up to a millisecond early (the resolution of uvloop's timers). It always yields to the loop.

        Otherwise, a late generator would keep the event loop from noticing that its client has left.
        """
        await asyncio.sleep(max(0.0, (self.due_ns(index) - now_ns()) / 1e9))
