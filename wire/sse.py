"""Server-Sent Events: bytes in, events or frames out, no I/O.

Strategy. There are two readers, because there are two kinds of hop. `Decoder` reads any event stream as the WHATWG standard
says (https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation) and returns events. It is
for servers that are not ours. `FrameSplitter` reads our own hops, where every line ends in LF alone. It finds the blank lines, cuts
there, and returns the same bytes; a relay need not know more about a frame. Both limit what they hold, because otherwise a peer could
fill our memory with a frame that never ends.

A frame is the bytes of one event, including the blank line that ends it.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass

DEFAULT_MAX_FRAME_BYTES = 4 * 1024 * 1024
_MAX_RETRY_DIGITS = 18  # longer than any sane wait; Python refuses to parse a number of several thousand digits

FOREIGN = "\nforeign"
"""The name of an event that holds lines of no event. No other event can have a name with a line end."""

PING = b": ping\n\n"
PING_LINE = b": ping\n"
"""The same without the blank line, for readers that take each blank line for the end of an event, even if there was none. It is no frame:
whatever comes next stands below it, and a reader ignores the comment."""
DONE = b"data: [DONE]\n\n"


class FrameTooLarge(ValueError):
    """The peer sent more than `limit` bytes without ending the frame. `frames` are the whole frames before it in the same feed."""

    def __init__(self, limit: int, frames: Sequence[bytes] = ()) -> None:
        super().__init__(f"an event stream frame exceeds {limit} bytes")
        self.limit = limit
        self.frames = list(frames)


def encode(data: str | bytes, *, event: str | None = None, id: int | str | None = None, retry: int | None = None) -> bytes:
    """One frame. Data of several lines becomes several `data` fields. CR and CRLF count as line ends, as they do for the reader.

    `retry` is in milliseconds. Raises ValueError if `event` or `id` holds a line end, or if `id` holds a NUL, because readers
    would misread them.
    """
    head = b""
    for name, value in (("id", id), ("event", event), ("retry", retry)):
        if value is None:
            continue
        text = str(value)
        if "\n" in text or "\r" in text or (name == "id" and "\0" in text):
            raise ValueError(f"{name} must be a single line without NUL: {text!r}")
        head += f"{name}: {text}\n".encode()
    raw = data.encode() if isinstance(data, str) else data
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return head + b"data: " + raw.replace(b"\n", b"\ndata: ") + b"\n\n"


@dataclass(frozen=True, slots=True)
class Event:
    """A dispatched event. `id` is the stream's last event id at that moment, like a browser's `lastEventId`."""

    data: str
    event: str = "message"
    id: str = ""


class Decoder:
    """Reads an event stream exactly as the standard says, however its bytes are cut.

    `last_event_id` and `retry` (milliseconds, or None) hold what the stream has set so far. Bytes after the last
    blank line are dropped, as the standard demands, so there is no flush. With `keep_ignored` it also returns what the standard ignores:
    an event without data, and before an event its lines with unknown field names, as an event of the name `FOREIGN`.
    """

    def __init__(self, *, max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES, keep_ignored: bool = False) -> None:
        self._keep_ignored = keep_ignored
        self._foreign: list[bytes] = []
        self.last_event_id = ""
        self.retry: int | None = None
        self._limit = max_frame_bytes
        self._held = 0  # bytes of the fields already parsed into the unfinished frame
        self._line = bytearray()
        self._after_cr = False
        self._at_start = True
        self._data: list[str] = []
        self._event = ""
        self._id = ""

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete. Raises FrameTooLarge."""
        events: list[Event] = []
        for line in self._lines(data):
            if line:
                self._held += len(line)
                self._field(line)
            else:
                self._held = 0
                events += self._dispatch()
            if self._held > self._limit:
                raise FrameTooLarge(self._limit)
        if self._held + len(self._line) > self._limit:
            raise FrameTooLarge(self._limit)
        return events

    def _lines(self, data: bytes) -> list[bytes]:
        """Whole lines without their line ends. A CR ends its line at once; an LF that follows it belongs to the same line end."""
        if self._after_cr and data:
            self._after_cr = False
            if data[:1] == b"\n":
                data = data[1:]
        if data[-1:] == b"\r":
            self._after_cr = True
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        first, *rest = data.split(b"\n")
        self._line += first
        if not rest:
            return []
        lines = [bytes(self._line), *rest]
        self._line = bytearray(lines.pop())
        if self._at_start:
            self._at_start = False
            lines[0] = lines[0].removeprefix(codecs.BOM_UTF8)
        return lines

    def _field(self, line: bytes) -> None:
        name, colon, value = line.partition(b":")
        if not name and colon:
            return  # a comment
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value.decode("utf-8", "replace"))
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id":
            if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and len(value) <= _MAX_RETRY_DIGITS:
            self.retry = int(value)
        elif self._keep_ignored and name not in (b"id", b"retry"):
            self._foreign.append(line)

    def _dispatch(self) -> list[Event]:
        self.last_event_id = self._id
        data, event = self._data, self._event
        self._data, self._event = [], ""
        events: list[Event] = []
        if self._foreign:
            events.append(Event(b"\n".join(self._foreign).decode("utf-8", "replace"), FOREIGN, self.last_event_id))
            self._foreign = []
        if data or (event and self._keep_ignored):
            events.append(Event("\n".join(data), event or "message", self.last_event_id))
        return events


class FrameSplitter:
    """Cuts the bytes of one of our own hops into whole frames, without decoding them.

    The frames joined, followed by the unfinished tail (`pending`), are exactly the bytes that were fed.
    """

    __slots__ = ("_limit", "_scanned", "_tail")

    def __init__(self, *, max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES) -> None:
        self._limit = max_frame_bytes
        self._tail = bytearray()
        self._scanned = 0  # no blank line begins before this position in the tail

    @property
    def pending(self) -> bytes:
        """The bytes of the unfinished frame."""
        return bytes(self._tail)

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that these bytes complete. Raises FrameTooLarge."""
        if not self._tail:
            end = data.find(b"\n\n")
            if end >= 0 and end == len(data) - 2 and len(data) <= self._limit:
                return [data]  # by far the most common read: one whole frame
        self._tail += data
        if self._tail.find(b"\n\n", self._scanned) < 0:
            self._scanned = max(0, len(self._tail) - 1)
            if len(self._tail) > self._limit:
                raise FrameTooLarge(self._limit)
            return []
        *whole, rest = bytes(self._tail).split(b"\n\n")
        frames = [frame + b"\n\n" for frame in whole]
        self._tail = bytearray(rest)
        self._scanned = max(0, len(rest) - 1)
        for place, frame in enumerate((*frames, rest)):
            if len(frame) > self._limit:
                raise FrameTooLarge(self._limit, frames[:place])
        return frames
