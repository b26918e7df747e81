"""Runs a call for a request: opens it, starts it, and follows it or waits for all of it."""

from __future__ import annotations

import asyncio

from fastapi import Request
from starlette.responses import Response

from hop.event_stream import EventStream
from hop.pieces import write_in_pieces
from hop.relay import PING_AFTER_S, Translate
from saas_api.auth import Identity
from saas_api.calls import AlreadyStarted, stream_expired
from saas_api.generation import Generation
from saas_api.schemas import ChatRequest, JobRequest
from saas_api.services import services_of
from serving.prefix import root_of
from serving.room import place_of
from wire.errors import ErrorCode, WireError
from wire.frames import is_chunk
from wire.log import Outcome
from wire.sse import PING

MAX_IDEMPOTENCY_KEY = 200
FIRST_CHUNK_S = 3.0
"""How long a stream's head may wait for its first chunk. Proxies often give up after a few seconds without a byte."""


async def start(request: Request, identity: Identity, call: ChatRequest, job: JobRequest | str, *, streamed: bool) -> Generation:
    """Opens and starts the call. A repeated `Idempotency-Key` finds the call that it started the first time."""
    services = services_of(request)
    services.generations.check_open(identity.key_id)
    key = request.headers.get("idempotency-key")
    if key is not None and isinstance(job, str):
        raise WireError(
            ErrorCode.INVALID_REQUEST, "Idempotency-Key: belongs to create-and-call; a call of an existing job takes none.", status=422
        )
    if key is not None and not 0 < len(key) <= MAX_IDEMPOTENCY_KEY:
        raise WireError(ErrorCode.INVALID_REQUEST, f"Idempotency-Key: must have 1 to {MAX_IDEMPOTENCY_KEY} characters.")
    try:
        opened = await services.calls.open(identity, call, job, streamed=streamed, idempotency_key=key)
    except AlreadyStarted as before:
        generation = await attach(request, identity, before.job_id, before.call_id)
        if generation.streamed != streamed:
            raise WireError(ErrorCode.JOB_STATE, "This Idempotency-Key was used for a call of the other kind.") from None
        return generation
    generation = services.generations.start(opened, identity.key_id, received_ns=request.state.received_ns, streamed=streamed)
    generation.keep_room(place_of(request).keep())
    await asyncio.sleep(0)  # lets the provider be asked first; this request's own answer is prepared meanwhile
    return generation


async def attach(request: Request, identity: Identity, job_id: str, call_id: str) -> Generation:
    """Finds a call of the caller, wherever its log is.

    Raises WireError NOT_FOUND, STREAM_EXPIRED, INTERRUPTED or UPSTREAM_UNAVAILABLE.
    """
    services = services_of(request)
    generation = services.generations.get(call_id)
    if generation is not None and generation.call.job_id == job_id and generation.call.team_id == identity.team_id:
        return generation
    record = await services.calls.find(identity, job_id, call_id)
    if record.status == Outcome.INTERRUPTED.value:
        raise WireError(ErrorCode.INTERRUPTED, "The server that ran this call died before the answer was finished.")
    if record.finished_at is not None:
        raise stream_expired(job_id, root_of(request.scope))
    raise WireError(ErrorCode.UPSTREAM_UNAVAILABLE, "The server that runs this call does not answer.", retry_after=1.0)


def follow(
    request: Request,
    generation: Generation,
    index: int = 0,
    *,
    grace_s: float | None = None,
    translate: Translate | None = None,
    preface: bytes = b"",
    ping: bytes = PING,
    ping_after_s: float = PING_AFTER_S,
) -> EventStream:
    """Returns a response that follows a call's log from `index` on. `grace_s`: how long the call outlives its last reader.

    The other parameters are those of `EventStream`.
    """
    generations = services_of(request).generations
    return EventStream(
        generation.log,
        index,
        marks=generation.marks,
        headers={"X-Job-Id": generation.call.job_id, "X-Call-Id": generation.call.call_id},
        preface=preface,
        translate=translate,
        closed=lambda: generations.reader_left(generation, grace_s),
        ping_after_s=ping_after_s,
        ping=ping,
    )


async def begun(request: Request, generation: Generation) -> bool:
    """Waits for a stream's first frame, so that an earlier error gets its own status, but not for longer than `FIRST_CHUNK_S`.

    Returns whether it has come. Raises the call's WireError. If the client leaves meanwhile, the call is cancelled.
    """
    log, reader = generation.log, generation.log.reader()
    leaving = asyncio.create_task(_left(request))
    leaving.add_done_callback(lambda _task: reader.wake())
    try:
        async with asyncio.timeout(FIRST_CHUNK_S):
            while not len(log) and log.ending is None:
                await reader.wait()
                if leaving.done():
                    generation.cancel()
    except TimeoutError:
        pass  # its status has to go before it is known how the call ends
    finally:
        leaving.cancel()
        reader.close()
    if generation.error is not None and not any(map(is_chunk, log.frames(0, 1))):
        raise generation.error
    return len(log) > 0


async def whole_answer(request: Request, generation: Generation, *, saas: bool = True) -> Response:
    """Waits for a non-streaming call and returns the completion, with `saas` in it unless told otherwise.

    The call is cancelled when its last client leaves. Raises the call's WireError.
    """
    reader = generation.log.reader()  # several requests may wait for one call, by its idempotency key; each is a reader
    leaving = asyncio.create_task(_left(request))
    ended = asyncio.create_task(generation.ended.wait())
    try:
        await asyncio.wait({leaving, ended}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        ended.cancel()
        reader.close()
    if not generation.ended.is_set():
        if not generation.log.readers:
            generation.cancel()
        await generation.ended.wait()
    if generation.error is not None:
        raise generation.error
    if generation.completion is None:
        raise WireError(ErrorCode.JOB_STATE, "The call was cancelled.")
    generation.marks.departed(1, 0)
    headers = {
        "X-Job-Id": generation.call.job_id,
        "X-Call-Id": generation.call.call_id,
        "Server-Timing": generation.marks.server_timing(),
    }
    answer = generation.completion
    if saas:
        answer = answer | {"saas": {"receipt": generation.receipt, "hops": [generation.marks.to_dict()]}}
    return Response(await write_in_pieces(answer), 200, headers, "application/json")


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
