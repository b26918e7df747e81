"""What the gateway answers: from bytes to values and errors. Nothing here does I/O."""

from __future__ import annotations

from typing import Any, cast

from hop.json import read_object
from saas_client._errors import GatewayCut, error_from
from wire.errors import WireError
from wire.frames import DONE
from wire.records import Receipt
from wire.sse import Decoder, Event


def as_answer(value: Any) -> dict[str, Any]:
    """Returns a parsed answer. Raises GatewayCut if it is not a JSON object: the gateway sends nothing else."""
    if not isinstance(value, dict):
        raise GatewayCut("the answer is not a JSON object")
    return value


class EventReader:
    """Reads the frames of one call's stream as events. `ended` is true after the terminal frame; `receipt` is set once it has come."""

    __slots__ = ("_decoder", "ended", "receipt")

    def __init__(self) -> None:
        self.ended = False
        self.receipt: Receipt | None = None
        self._decoder = Decoder()

    def feed(self, frame: bytes) -> list[Event]:
        """The events of a whole frame; `[DONE]` has none. Raises SaaSError if the call failed, GatewayCut for a foreign frame."""
        if frame == DONE:
            self.ended = True
            return []
        events = self._decoder.feed(frame)
        for event in events:
            if event.event == "failed":
                raise error_from(WireError.from_dict(_object(event).get("error")))
            if event.event == "receipt":
                self.receipt = cast(Receipt, _object(event))
        return events

    def check_ended(self) -> None:
        """To be called at the end of the body. Raises GatewayCut if the terminal frame has not come."""
        if not self.ended:
            raise GatewayCut("the stream ended without its terminal frame")


def texts(event: Event) -> list[str]:
    """The text of each choice of a chunk that has some; nothing for other events."""
    if event.event != "message":
        return []
    choices = _object(event).get("choices")
    deltas = [choice.get("delta") for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
    found = [delta.get("content") for delta in deltas if isinstance(delta, dict)]
    return [text for text in found if isinstance(text, str) and text]


def _object(event: Event) -> dict[str, Any]:
    value = read_object(event.data)
    if value is None:
        raise GatewayCut("the stream holds what is not a JSON object")
    return value
