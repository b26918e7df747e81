"""The logs that a process holds in memory, and how much they may take: in total, and for each owner.

Strategy. A log lives on after its stream's end, so that readers can resume it. That memory has two bounds: one for the logs of each
owner (a virtual key, a session) and one for all logs. If a bound is reached, the oldest ended logs go first. Their readers get
`stream_expired` and find the answer in its record. If the logs of running streams alone reach a bound, new streams are refused. A
running stream that grows beyond a bound ends with an error: beyond its owner's at once, beyond the total only if its owner holds more
than the average. So a crowd of small answers is safe from a few large ones. Running streams alone can take twice the total at worst.

A log tells its owner's account that it has grown every 4 KiB (`wire.log.COUNTED_EVERY`). The total is brought up to date whenever an owner
has grown by `STEP`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from wire.errors import ErrorCode, WireError
from wire.frames import failed_frame
from wire.log import Account, StreamLog

STEP = 64 * 1024
_FULL_FOR_NEW = 0.75
"""Running streams may hold this part of a bound. Beyond it no new one starts, so that those that run can end."""
_LOOK_AGAIN_S = 1.0
_RETRY_AFTER_S = 5.0


@dataclass(eq=False, slots=True)
class _Kept:
    """An ended log. `held` is what it takes, in bytes."""

    log: StreamLog
    owner: _Owner
    held: int
    expired: Callable[[], WireError]
    timer: asyncio.TimerHandle | None = None
    """The end of its retention."""


class _Owner(Account):
    """What one owner's logs take."""

    __slots__ = ("kept", "kept_bytes", "name", "noted", "open", "shelf")

    def __init__(self, shelf: Shelf, name: str) -> None:
        super().__init__(mark=min(STEP, shelf.owner_bytes))
        self.shelf = shelf
        self.name = name
        self.open = 0
        """How many of its logs are there."""
        self.noted = 0
        """The part of `held` that the total has."""
        self.kept: dict[StreamLog, _Kept] = {}
        self.kept_bytes = 0

    @property
    def running_bytes(self) -> int:
        return self.held - self.kept_bytes

    def exceeded(self) -> None:
        self.shelf.note(self)
        self.shelf.make_room(self)


class Shelf:
    """All logs of one process.

    `total_bytes` and `owner_bytes` are the bounds. `retention_s`: how long an ended log is kept if its room is not needed.
    """

    def __init__(self, *, total_bytes: int, owner_bytes: int, retention_s: float) -> None:
        self.owner_bytes = owner_bytes
        self._total = total_bytes
        self._retention_s = retention_s
        self._held = 0
        self._kept_bytes = 0
        self._kept: dict[StreamLog, _Kept] = {}
        self._owners: dict[str, _Owner] = {}

    @property
    def held(self) -> int:
        """The bytes of all logs, to within `STEP` for each owner."""
        return self._held

    def check(self, owner: str) -> None:
        """Raises WireError RATE_LIMITED if running streams leave no room for another one of this owner."""
        its = self._owners.get(owner)
        if its is None:
            return  # it holds nothing: a bound that others have reached is not its fault
        if its.running_bytes >= _FULL_FOR_NEW * self.owner_bytes:
            raise _refused(f"The answers that are being written for you hold {its.running_bytes} bytes already")
        if its.running_bytes and self._held - self._kept_bytes >= _FULL_FOR_NEW * self._total:
            raise _refused("The answers that are being written hold as much memory as they may")

    def account(self, owner: str) -> Account:
        """Opens an account for one more log of this owner. `keep` must follow, once that log has ended."""
        its = self._owners.get(owner)
        if its is None:
            its = self._owners[owner] = _Owner(self, owner)
        its.open += 1
        return its

    def keep(self, log: StreamLog, expired: Callable[[], WireError], *, beside: int = 0) -> None:
        """Takes a log that has ended. `beside` is the number of bytes that its owner keeps beside the log.

        When its time is over, or its room is needed, `expired` is called. It must forget the log, and returns the error for readers who
        have not read all of it.
        """
        owner = log.account
        if not isinstance(owner, _Owner):
            raise TypeError("the log has no account here")
        kept = _Kept(log, owner, log.settle() + beside, expired)
        owner.held += beside
        self.note(owner)
        self._kept[log] = owner.kept[log] = kept
        self._kept_bytes += kept.held
        owner.kept_bytes += kept.held
        kept.timer = asyncio.get_running_loop().call_later(self._retention_s, self._retire, kept)
        self._drop_kept(owner, spare=log if log.readers else None)

    def note(self, owner: _Owner) -> None:
        """Brings the total up to date with what this owner holds."""
        self._held += owner.held - owner.noted
        owner.noted = owner.held

    def make_room(self, owner: _Owner) -> None:
        """Lets ended logs go, as far as the bounds demand it. Raises WireError RATE_LIMITED if this owner may not grow further."""
        self._drop_kept(owner)
        owner.mark = min(owner.held + STEP, max(self.owner_bytes, owner.held))
        if owner.held > self.owner_bytes:
            raise _refused(f"The answers that are being written for you would hold more than {self.owner_bytes} bytes")
        if self._held > self._total and owner.held * len(self._owners) >= self._held:
            raise _refused("The answers that are being written would hold more memory than they may")

    def _drop_kept(self, owner: _Owner, spare: StreamLog | None = None) -> None:
        """Drops ended logs until the bounds hold, but not `spare`: its readers are about to get its end."""
        while owner.held > self.owner_bytes and (oldest := _oldest(owner.kept, spare)) is not None:
            self._drop(oldest)
        while self._held > self._total and (oldest := _oldest(self._kept, spare)) is not None:
            self._drop(oldest)

    def _retire(self, kept: _Kept) -> None:
        """The retention is over. A reader that is not done yet may finish, unless the room is needed."""
        if kept.log not in self._kept:
            return
        kept.expired()
        if kept.log.readers:
            kept.timer = asyncio.get_running_loop().call_later(_LOOK_AGAIN_S, self._retire, kept)
        else:
            self._remove(kept)

    def _drop(self, kept: _Kept) -> None:
        self._remove(kept)
        kept.log.expire(failed_frame(kept.expired()))

    def _remove(self, kept: _Kept) -> None:
        owner = kept.owner
        if kept.timer is not None:
            kept.timer.cancel()  # it would hold all that belongs to the stream until its time
        kept.timer = None
        del self._kept[kept.log], owner.kept[kept.log]
        self._kept_bytes -= kept.held
        owner.kept_bytes -= kept.held
        owner.held -= kept.held
        owner.mark = min(owner.held + STEP, self.owner_bytes)
        self.note(owner)
        owner.open -= 1
        if not owner.open:
            del self._owners[owner.name]


def _oldest(kept: dict[StreamLog, _Kept], spare: StreamLog | None) -> _Kept | None:
    return next((entry for log, entry in kept.items() if log is not spare), None)


def _refused(what: str) -> WireError:
    return WireError(ErrorCode.RATE_LIMITED, f"{what}. Try again when one of them has ended.", retry_after=_RETRY_AFTER_S)
