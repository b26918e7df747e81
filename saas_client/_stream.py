"""One call's event stream, as far from or as near to its bytes as the caller wants.

Strategy. `follow` and `read` are the bottom: what one read of the socket completed, cut into frames and not looked at, pushed or
pulled. A relay needs no more. `frames`, `events` and `text` stand on it, each a step nearer to a person. A stream belongs to one
consumer; leaving its context closes the connection at once, since what is left of an event stream cannot be read to its end first.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson

from hop.response import ExchangeFailed, Response
from saas_client._errors import GatewayCut, error_from
from wire.errors import WireError
from wire.frames import DONE
from wire.sse import Decoder, Event, FrameSplitter, FrameTooLarge


class Stream:
    """The frames of one call.

    `job_id` and `call_id` are known from the start: with them the call can be cancelled before its first token. `receipt` is
    set when `events` or `text` has come to it.
    """

    __slots__ = ("_response", "_splitter", "call_id", "job_id", "receipt")

    def __init__(self, response: Response) -> None:
        self.job_id = response.headers.get("x-job-id", "")
        self.call_id = response.headers.get("x-call-id", "")
        self.receipt: dict[str, Any] | None = None
        self._response = response
        self._splitter = FrameSplitter()

    async def follow(self, sink: Callable[[list[bytes], int], bool]) -> None:
        """Hands over the frames that each read completes, untouched, and the number of bytes of that read.

        `sink` is called in the turn of the event loop in which the bytes came; the stream is followed until the body ends, in order or
        not, or until the sink returns True. Raises GatewayCut where the connection breaks, and where the gateway sends what is not a
        stream of ours, and what the sink raises.
        """
        splitter = self._splitter
        try:
            await self._response.follow(lambda data: sink(splitter.feed(data), len(data)))
        except ExchangeFailed as error:
            raise GatewayCut(f"the stream was cut: {type(error).__name__}") from error
        except FrameTooLarge as error:
            raise GatewayCut(str(error)) from error

    async def read(self) -> list[bytes] | None:
        """The frames that the next read completes, untouched (often one, possibly none); None at the end of the body.

        Raises GatewayCut as `follow` does.
        """
        try:
            data = await self._response.read()
            return self._splitter.feed(data) if data else None
        except ExchangeFailed as error:
            raise GatewayCut(f"the stream was cut: {type(error).__name__}") from error
        except FrameTooLarge as error:
            raise GatewayCut(str(error)) from error

    def close(self) -> None:
        """Closes the connection now. What has not been read is gone; the call itself goes on."""
        self._response.close()

    async def frames(self) -> AsyncIterator[bytes]:
        """Each frame as the gateway wrote it, comments included. Ends with the body, in order or not."""
        while (frames := await self.read()) is not None:
            for frame in frames:
                yield frame

    async def events(self) -> AsyncIterator[Event]:
        """Each event up to `[DONE]`. Raises SaaSError where the call failed, GatewayCut where the stream ended without an end."""
        decoder = Decoder()
        async for frame in self.frames():
            if frame == DONE:
                return
            for event in decoder.feed(frame):
                if event.event == "failed":
                    raise error_from(WireError.from_dict(_object(event.data).get("error")))
                if event.event == "receipt":
                    self.receipt = _object(event.data)
                yield event
        raise GatewayCut("the stream ended without its terminal frame")

    async def text(self) -> AsyncIterator[str]:
        """The answer's text, delta by delta. Raises as `events` does.

        A provider may cut a character in two: its halves then come as they are, each a surrogate at the edge of a delta.
        """
        async for event in self.events():
            if event.event == "message":
                for text in _texts(_object(event.data)):
                    yield text


def _texts(chunk: dict[str, Any]) -> list[str]:
    """The text of each choice of a chunk that has some."""
    choices = chunk.get("choices")
    deltas = [choice.get("delta") for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
    texts = [delta.get("content") for delta in deltas if isinstance(delta, dict)]
    return [text for text in texts if isinstance(text, str) and text]


def _object(data: str) -> dict[str, Any]:
    """An event's JSON object. Raises GatewayCut: what is none is not a stream of ours."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            value = json.loads(data)  # takes half a surrogate pair, which is what a chunk may hold
        except ValueError as error:
            raise GatewayCut("the stream holds what is not JSON") from error
    if not isinstance(value, dict):
        raise GatewayCut("the stream holds what is not a JSON object")
    return value
