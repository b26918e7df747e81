"""The two kinds of response: an event stream, and one object when it is done. Each ends at once when its client leaves."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

import anyio
from fastapi.responses import Response
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.types import Receive, Scope, Send

from demo_llm.chunks import Chunks, to_json

logger = logging.getLogger(__name__)

STREAM_HEADERS: Mapping[str, str] = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
PING_AFTER_S = 15


class Source(Protocol):
    """An answer that can be sent as a stream or as one object."""

    def frames(self, chunks: Chunks, *, include_usage: bool) -> AsyncIterator[bytes]:
        """The frames of the stream, each at its due time."""
        ...

    async def completion(self, chunks: Chunks) -> dict[str, Any]:
        """The completion, once its last token is due."""
        ...


def event_stream(frames: AsyncIterator[bytes]) -> Response:
    """The frames as an event stream, with a ping every 15 s."""
    return EventSourceResponse(_noting_departure(frames), headers=STREAM_HEADERS, ping=PING_AFTER_S, ping_message_factory=_ping)


class CompletionResponse(Response):
    """One object, sent after as long as its stream would take."""

    media_type = "application/json"

    def __init__(self, completion: Awaitable[Mapping[str, Any]]) -> None:
        super().__init__()
        self._completion = completion

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with while_client_stays(receive):
            body = to_json(await self._completion)
            await Response(body, media_type=self.media_type)(scope, receive, send)


@asynccontextmanager
async def while_client_stays(receive: Receive) -> AsyncIterator[None]:
    """Cancels the code inside it, without an exception, when the client leaves."""

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        group.cancel_scope.cancel()

    done = False
    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        yield
        done = True
        group.cancel_scope.cancel()
    if not done:
        logger.info("ended early: the client left, or the server stops")


async def _noting_departure(frames: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    sent, whole = 0, False
    try:
        async for frame in frames:
            yield frame
            sent += 1
        whole = True
    finally:
        if not whole:
            logger.info("ended early: the client left, or the server stops", extra={"frames": sent})


def _ping() -> ServerSentEvent:
    return ServerSentEvent(comment="ping", sep="\n")
