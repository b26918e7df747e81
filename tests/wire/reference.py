"""A simple reference reader for event streams, close to the words of the standard. It decodes the whole stream at once and has no state.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from wire.sse import Decoder, Event


@dataclass
class Reading:
    """Everything that a reader learns from a stream."""

    events: list[Event] = field(default_factory=list)
    last_event_id: str = ""
    retry: int | None = None


def plain_reading(stream: bytes) -> Reading:
    """The reading of a complete stream, by the standard."""
    reading = Reading()
    text = stream.decode("utf-8", errors="replace").removeprefix("\ufeff")
    *lines, _unfinished = re.split(r"\r\n|\n|\r", text)
    data, event, id_buffer = "", "", ""
    for line in lines:
        if line == "":
            reading.last_event_id = id_buffer
            if data != "":
                reading.events.append(Event(data[:-1], event or "message", id_buffer))
            data, event = "", ""
            continue
        name, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if name == "data":
            data += value + "\n"
        elif name == "event":
            event = value
        elif name == "id" and "\0" not in value:
            id_buffer = value
        elif name == "retry" and re.fullmatch(r"[0-9]{1,18}", value):  # our decoder ignores longer numbers, its only deviation
            reading.retry = int(value)
    return reading


def decoded(pieces: list[bytes]) -> Reading:
    """The reading by `wire.sse.Decoder` of a stream that arrives in these pieces."""
    decoder = Decoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return Reading(events, decoder.last_event_id, decoder.retry)
