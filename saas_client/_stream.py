"""One call's event stream, at the level that the caller wants: from frames to text.

Strategy. `follow` and `read` are the bottom: one pushes and the other pulls the frames that a read of the socket completed, unparsed. A
relay needs no more. `frames`, `events` and `text` build on that, each a step nearer to a person. A stream belongs to one consumer. Leaving
its context closes the connection at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from hop.response import ExchangeFailed, Response
from saas_client._answers import EventReader, TextReader
from saas_client._errors import GatewayCut
from wire.records import Receipt
from wire.sse import Event, FrameSplitter, FrameTooLarge


class Stream:
    """The frames of one call.

    `job_id` and `call_id` are known from the start, so the call can be cancelled before its first token. `receipt` is set once `events` or
    `text` has come to it.
    """

    __slots__ = ("_response", "_splitter", "call_id", "job_id", "receipt")

    def __init__(self, response: Response) -> None:
        self.job_id = response.headers.get("x-job-id", "")
        self.call_id = response.headers.get("x-call-id", "")
        self.receipt: Receipt | None = None
        self._response = response
        self._splitter = FrameSplitter()

    async def follow(self, sink: Callable[[list[bytes], int], bool]) -> None:
        """Hands over the frames that each read completes, untouched, and the number of bytes of that read.

        `sink` is called in the turn of the event loop in which the bytes came. The stream is followed until the body ends, in order or not,
        or until the sink returns True. Raises GatewayCut if the connection breaks or the body is not a stream of ours, and whatever the
        sink raises.
        """
        with _named_cuts():
            await self._response.follow(_Frames(self._splitter, sink).take)

    async def read(self) -> list[bytes] | None:
        """The frames that the next read completes, untouched (often one, possibly none); None at the end of the body.

        Raises GatewayCut as `follow` does.
        """
        with _named_cuts():
            data = await self._response.read()
            return self._splitter.feed(data) if data else None

    def close(self) -> None:
        """Closes the connection now. What has not been read is gone; the call itself goes on."""
        self._response.close()

    async def frames(self) -> AsyncIterator[bytes]:
        """Each frame as the gateway wrote it, comments included. Ends with the body, in order or not."""
        while (frames := await self.read()) is not None:
            for frame in frames:
                yield frame

    async def events(self) -> AsyncIterator[Event]:
        """Each event up to `[DONE]`. Raises SaaSError if the call failed, GatewayCut if the stream ended without its end."""
        reader = EventReader()
        async for frame in self.frames():
            events = reader.feed(frame)
            self.receipt = reader.receipt
            if reader.ended:
                return
            for event in events:
                yield event
        reader.check_ended()

    async def text(self) -> AsyncIterator[str]:
        """The answer's text, delta by delta. Raises as `events` does.

        A provider may cut a character in two. Its halves then come as they are, each a surrogate at the edge of a delta.
        """
        reader = TextReader()
        async for event in self.events():
            if text := reader.read(event):
                yield text
        reader.check()


class _Frames:
    """Hands a stream's bytes to a sink as frames."""

    __slots__ = ("_sink", "_splitter")

    def __init__(self, splitter: FrameSplitter, sink: Callable[[list[bytes], int], bool]) -> None:
        self._splitter = splitter
        self._sink = sink

    def take(self, data: bytes) -> bool:
        return self._sink(self._splitter.feed(data), len(data))


@contextmanager
def _named_cuts() -> Iterator[None]:
    try:
        yield
    except ExchangeFailed as error:
        raise GatewayCut(f"the stream was cut: {type(error).__name__}") from error
    except FrameTooLarge as error:
        raise GatewayCut(str(error)) from error
