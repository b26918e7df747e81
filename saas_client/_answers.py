"""What the gateway answers: from bytes to values and errors. Nothing here does I/O."""

from __future__ import annotations

from typing import Any, cast

from hop.json import read_object
from saas_client._errors import GatewayCut, error_from
from wire.chunks import first_choice, read_choice
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


class TextReader:
    """Reads the text in the events of one call, in the order in which they come (`wire.chunks`)."""

    __slots__ = ("_begun", "_unreadable")

    def __init__(self) -> None:
        self._begun = self._unreadable = False

    def read(self, event: Event) -> str:
        """The text that an event adds to the answer; empty if it adds none."""
        if event.event != "message":
            return ""
        chunk = read_object(event.data)
        if chunk is None:
            self._unreadable = True  # the gateway will say that the call failed
            return ""
        choice = first_choice(chunk)
        if choice is None:
            return ""
        piece = read_choice(choice, begun=self._begun)
        self._begun = self._begun or piece.is_token
        return piece.content

    def check(self) -> None:
        """To be called at the end, if that was in order. Raises GatewayCut if an event was no JSON object."""
        if self._unreadable:
            raise GatewayCut("the stream holds what is not a JSON object")


def _object(event: Event) -> dict[str, Any]:
    value = read_object(event.data)
    if value is None:
        raise GatewayCut("the stream holds what is not a JSON object")
    return value
