"""The gateway's request of a turn. It may hold a photograph, so it is kept only for as long as it may have to be sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


class HeldRequest:
    """`messages`, `model_group` and OpenAI's parameters in `fields`, which are empty once they have been forgotten."""

    __slots__ = ("_when_gone", "fields", "model_group")

    def __init__(self, fields: Mapping[str, Any] | None) -> None:
        self.fields = dict(fields or {})
        self.model_group: str = self.fields.get("model_group", "")
        self._when_gone: list[Callable[[], object]] = []

    def when_gone(self, call: Callable[[], object]) -> None:
        """Has this called once the request has been forgotten, perhaps at once."""
        if self.fields:
            self._when_gone.append(call)
        else:
            call()

    def forget(self) -> None:
        """Lets it go: the gateway has the call, or will not be asked any more. Calling it again does nothing."""
        self.fields = {}
        calls, self._when_gone = self._when_gone, []
        for call in calls:
            call()
