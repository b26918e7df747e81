"""The memory that long request bodies take together: those that are arriving, and those that are being worked on."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request

from wire.errors import ErrorCode, WireError

UNCOUNTED_BYTES = 64 * 1024
"""A body up to here always has room, and is not counted."""


class Room:
    """So many bytes in all."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.taken = 0


class Place:
    """What one body takes of it, from its first bytes until it is given back, which may be done several times."""

    __slots__ = ("_kept", "_room", "_size")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._size = 0
        self._kept = False

    def take(self, size: int) -> None:
        """The body is so many bytes long by now. Raises WireError RATE_LIMITED if there is no room for it."""
        taken = 0 if size <= UNCOUNTED_BYTES else size
        self._room.taken += taken - self._size
        self._size = taken
        if taken and self._room.taken > self._room.total:
            raise WireError(ErrorCode.RATE_LIMITED, "Too many long requests are being worked on at once.", retry_after=1.0)

    def leave(self) -> None:
        """The response has begun, or there will be none: gives the place back, unless it is kept."""
        if not self._kept:
            self._give_back()

    def keep(self) -> Callable[[], None]:
        """Keeps the place for longer than the response takes to begin, since the request is still held. Returns what gives it back."""
        self._kept = True
        return self._give_back

    def _give_back(self) -> None:
        self._room.taken -= self._size
        self._size = 0


def place_of(request: Request) -> Place:
    """The place of a request's body behind our edge."""
    place: Place = request.state.body_place
    return place
