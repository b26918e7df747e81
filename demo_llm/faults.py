"""The faults of real providers, reproduced on the wire, where a client has to deal with them.

Strategy. An answer is generated as usual. Then its frames (or its body, if it is not streamed) are distorted: cut short, corrupted, or
sent in a form that the standard allows and few expect. They leave through a response class of their own. It sends no pings, so that a
silence is really silent, and it can stop without ending the body: the server then closes the socket in mid-body.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import NoReturn

from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from demo_llm.chunks import Chunks, to_json
from demo_llm.errors import ProviderError
from demo_llm.generation import Generation
from demo_llm.models import Fault
from demo_llm.responses import STREAM_HEADERS, while_client_stays
from wire.sse import encode

logger = logging.getLogger(__name__)

Pieces = AsyncIterator[bytes]

GOOD_TOKENS = 10
"""How many tokens arrive correctly before a fault in mid-answer; all of them if the answer is shorter."""
BIG_FRAME_BYTES = 2 * 1024 * 1024

_OVERLOADED = {"error": {"message": "The model is overloaded.", "type": "server_error", "param": None, "code": "overloaded"}}
_REFUSALS: Mapping[Fault, Callable[[], ProviderError]] = {
    Fault.STATUS_401: partial(ProviderError, 401, "Incorrect API key provided.", code="invalid_api_key"),
    Fault.STATUS_429: partial(ProviderError, 429, "Rate limit reached.", type="requests", code="rate_limit_exceeded", retry_after=1),
    Fault.STATUS_500: partial(ProviderError, 500, "The server had an error.", type="server_error"),
    Fault.STATUS_503: partial(ProviderError, 503, "The engine is overloaded.", type="server_error", code="overloaded", retry_after=1),
}


def respond(fault: Fault, generation: Generation, model: str, *, stream: bool, include_usage: bool) -> Response:
    """The faulty response. For a fault that is an error status, raises ProviderError instead."""
    if fault in _REFUSALS:
        raise _REFUSALS[fault]()
    if fault is Fault.HANG:
        return Silence()
    if fault is Fault.BIG_FRAME:
        generation = replace(generation, deltas=[{"content": "x" * BIG_FRAME_BYTES}])
    chunks = Chunks(model, usage_asked=include_usage or fault is Fault.NULL_USAGE)
    cut = fault is Fault.DROP
    if not stream:
        return Unruly(_body(fault, generation, chunks), media_type="application/json", cut=cut)
    frames = generation.frames(chunks, include_usage=include_usage and fault is not Fault.NULL_USAGE)
    good = 1 + min(GOOD_TOKENS, len(generation.deltas))
    return Unruly(_STREAMS.get(fault, _all)(frames, good, chunks), media_type="text/event-stream", cut=cut)


class Silence(Response):
    """No answer at all, for as long as the client waits."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with while_client_stays(receive):
            await _for_ever()


class Unruly(StreamingResponse):
    """Sends the pieces unchanged, each in its own write. With `cut` the body never ends: the server drops the connection."""

    def __init__(self, pieces: Pieces, *, media_type: str, cut: bool) -> None:
        super().__init__(pieces, headers=STREAM_HEADERS if media_type == "text/event-stream" else None, media_type=media_type)
        self._pieces = pieces
        self._cut = cut

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with while_client_stays(receive):
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for piece in self._pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                await asyncio.sleep(0)  # uvloop joins all writes of one turn of the loop
            if self._cut:
                logger.warning("the connection is dropped in mid-answer, as this model is made to")
            else:
                await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _for_ever() -> NoReturn:
    await asyncio.Event().wait()
    raise AssertionError("nobody sets this event")


async def _all(frames: Pieces, good: int, chunks: Chunks) -> Pieces:
    async for frame in frames:
        yield frame


async def _stall(frames: Pieces, good: int, chunks: Chunks) -> Pieces:
    async for frame in _first(frames, good):
        yield frame
    await _for_ever()


async def _drop(frames: Pieces, good: int, chunks: Chunks) -> Pieces:
    """Cuts in the middle of a frame and of its JSON."""
    async for frame in _first(frames, good):
        yield frame
    rest = chunks.delta({"content": "never to be read"})
    yield rest[: len(rest) // 2]


async def _no_done(frames: Pieces, good: int, chunks: Chunks) -> Pieces:
    """Sends all the text, then ends the body cleanly without a finish reason and without `[DONE]`."""
    async for frame in frames:
        if b'"finish_reason":null' in frame:
            yield frame


async def _error_frame(frames: Pieces, good: int, chunks: Chunks) -> Pieces:
    async for frame in _first(frames, good):
        yield frame
    yield encode(to_json(_OVERLOADED))


async def _bad_json(frames: Pieces, good: int, chunks: Chunks) -> Pieces:
    """Inserts one frame that is not JSON. All the others are correct."""
    async for frame, index in _numbered(frames):
        if index == good:
            yield b'data: {"id": "x", "choices": [{"delta": {"content": \n\n'
        yield frame


async def _crlf(frames: Pieces, good: int, chunks: Chunks) -> Pieces:
    """Ends lines with CRLF, and sends a comment, an id and a retry field every few frames. All of this is legal."""
    async for frame, index in _numbered(frames):
        if index % 5 == 4:
            yield b": still here\r\n\r\nid: %d\r\nretry: 900\r\n" % index
        yield frame.replace(b"\n", b"\r\n")


async def _split(frames: Pieces, good: int, chunks: Chunks) -> Pieces:
    async for frame in frames:
        for place in range(len(frame)):
            yield frame[place : place + 1]


async def _null_usage(frames: Pieces, good: int, chunks: Chunks) -> Pieces:
    """Puts `"usage":null` on every chunk and sends one chunk without choices in the middle. No usage ever comes."""
    async for frame, index in _numbered(frames):
        if index == good // 2:
            yield chunks.usage(None)
        yield frame


async def _first(frames: Pieces, count: int) -> Pieces:
    async for frame, index in _numbered(frames):
        yield frame
        if index == count - 1:
            return


async def _numbered(frames: Pieces) -> AsyncIterator[tuple[bytes, int]]:
    index = 0
    async for frame in frames:
        yield frame, index
        index += 1


_STREAMS: Mapping[Fault, Callable[[Pieces, int, Chunks], Pieces]] = {
    Fault.STALL: _stall,
    Fault.DROP: _drop,
    Fault.NO_DONE: _no_done,
    Fault.ERROR_FRAME: _error_frame,
    Fault.BAD_JSON: _bad_json,
    Fault.CRLF: _crlf,
    Fault.SPLIT: _split,
    Fault.NULL_USAGE: _null_usage,
}


async def _body(fault: Fault, generation: Generation, chunks: Chunks) -> Pieces:
    """The same faults without streaming: in the content of the JSON, or in how much of it is sent and how."""
    completion = await generation.completion(chunks)
    if fault is Fault.NO_DONE:
        completion["choices"][0]["finish_reason"] = None
    if fault is Fault.NULL_USAGE:
        completion["usage"] = None
    body = to_json(_OVERLOADED if fault is Fault.ERROR_FRAME else completion)
    if fault is Fault.CRLF:
        body = b"\r\n" + body.replace(b',"', b',\r\n"') + b"\r\n"
    if fault in (Fault.STALL, Fault.DROP, Fault.BAD_JSON):
        body = body[: len(body) // 2]
    step = 1 if fault is Fault.SPLIT else len(body)
    for place in range(0, len(body), step):
        yield body[place : place + step]
    if fault is Fault.STALL:
        await _for_ever()
