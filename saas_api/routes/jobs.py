"""Jobs and their calls."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from hop.pieces import write_in_pieces
from saas_api.answers import CallStatus, Job, JobCompletion, JobCosts, JobCreated, JobMetadata
from saas_api.jobs import CALLS_AT_ONCE, JobStatus
from saas_api.openapi import ANSWERING, CALL_HEADERS, IDEMPOTENCY_KEY, OPENING, REPEATING, TIMED_HEADERS
from saas_api.running import attach, follow, start, whole_answer
from saas_api.schemas import CallRequest, CompleteRequest, JobCallRequest, JobRequest, MetadataRequest
from saas_api.services import IdentityDep, ServicesDep
from serving.app import Route
from serving.bodies import Json
from serving.openapi import EVENT_STREAM, answers
from wire.errors import ErrorCode, WireError
from wire.frames import index_after

router = APIRouter(prefix="/api/jobs", tags=["jobs"], route_class=Route)

LastEventId = Annotated[str | None, Header(alias="Last-Event-ID", description="The id of the last frame that has come, a number from 0.")]
Limit = Annotated[int, Query(ge=1, le=CALLS_AT_ONCE, description="The most calls to list.")]
After = Annotated[str | None, Query(max_length=64, description="The id of a call: those that began after it are listed.")]
FRAMES = "Chunks with ids from 0, `receipt`, `hop`, then `[DONE]` or `failed`. The headers come before the first chunk."
NOT_FOUND = ErrorCode.NOT_FOUND


@router.post("/create", status_code=201, responses=answers(JobCreated, "The job, pending.", NOT_FOUND, status=201))
async def create(identity: IdentityDep, job: Json[JobRequest], services: ServicesDep) -> dict[str, Any]:
    """Creates a job. A job groups the calls made for one purpose."""
    return await services.jobs.create(identity, job)


@router.post(
    "/create-and-call",
    responses=answers(JobCompletion, "The completion.", *OPENING, *ANSWERING, *REPEATING, headers=TIMED_HEADERS),
    openapi_extra=IDEMPOTENCY_KEY,
)
async def create_and_call(identity: IdentityDep, job: Json[JobCallRequest], request: Request) -> Response:
    """Does it all in one request: creates a job, makes one call, and ends the job with it."""
    return await whole_answer(request, await start(request, identity, job, job, streamed=False))


@router.post(
    "/create-and-call-stream",
    responses=answers(None, FRAMES, *OPENING, *REPEATING, content=EVENT_STREAM, headers=CALL_HEADERS),
    response_class=Response,
    openapi_extra=IDEMPOTENCY_KEY,
)
async def create_and_call_stream(identity: IdentityDep, job: Json[JobCallRequest], request: Request) -> Response:
    """The same, streamed. If a request with an `Idempotency-Key` is repeated, it gets the same call's stream from the beginning."""
    return follow(request, await start(request, identity, job, job, streamed=True))


@router.post(
    "/{job_id}/llm-call",
    responses=answers(
        JobCompletion,
        "The completion.",
        *(*OPENING, ErrorCode.JOB_FINISHED, ErrorCode.JOB_STATE, *ANSWERING),
        headers=TIMED_HEADERS,
    ),
)
async def llm_call(job_id: str, identity: IdentityDep, call: Json[CallRequest], request: Request) -> Response:
    """Returns a whole `chat.completion`, with the receipt and the hop's timings under `saas`."""
    return await whole_answer(request, await start(request, identity, call, job_id, streamed=False))


@router.post(
    "/{job_id}/llm-call-stream",
    responses=answers(None, FRAMES, *OPENING, ErrorCode.JOB_FINISHED, content=EVENT_STREAM, headers=CALL_HEADERS),
    response_class=Response,
)
async def llm_call_stream(job_id: str, identity: IdentityDep, call: Json[CallRequest], request: Request) -> Response:
    """Streams the answer. The headers come at once; a later error is a `failed` frame."""
    return follow(request, await start(request, identity, call, job_id, streamed=True))


@router.get(
    "/{job_id}/calls/{call_id}/stream",
    responses=answers(
        None,
        FRAMES,
        *(NOT_FOUND, ErrorCode.STREAM_EXPIRED, ErrorCode.INTERRUPTED, ErrorCode.UPSTREAM_UNAVAILABLE),
        content=EVENT_STREAM,
        headers=CALL_HEADERS,
    ),
    response_class=Response,
)
async def resume(job_id: str, call_id: str, request: Request, identity: IdentityDep, last_event_id: LastEventId = None) -> Response:
    """Streams the call again, from the frame after `Last-Event-ID` or from the beginning."""
    index = index_after(last_event_id)
    generation = await attach(request, identity, job_id, call_id)
    if index > len(generation.log):
        raise WireError(ErrorCode.INVALID_REQUEST, "Last-Event-ID: the stream has no such frame.")
    return follow(request, generation, index)


@router.post("/{job_id}/calls/{call_id}/cancel", responses=answers(CallStatus, "How the call ended.", NOT_FOUND))
async def cancel(job_id: str, call_id: str, services: ServicesDep, identity: IdentityDep) -> dict[str, Any]:
    """Stops the provider now and settles the call for what came. A call that has ended stays as it is."""
    generation = services.generations.get(call_id)
    if generation is not None and generation.call.job_id == job_id and generation.call.team_id == identity.team_id:
        generation.cancel()
        await generation.ended.wait()
        return {"job_id": job_id, "call_id": call_id, "status": generation.outcome.value}
    record = await services.calls.find(identity, job_id, call_id)
    return {"job_id": job_id, "call_id": call_id, "status": record.status}


@router.post(
    "/{job_id}/complete",
    responses=answers(JobCosts, "The job has ended.", NOT_FOUND, ErrorCode.JOB_FINISHED, ErrorCode.JOB_STATE),
)
async def complete(job_id: str, identity: IdentityDep, end: Json[CompleteRequest], services: ServicesDep) -> dict[str, Any]:
    """Ends the job and returns its costs."""
    return await services.jobs.complete(identity, job_id, JobStatus(end.status), end.metadata, end.error_message)


@router.get("/{job_id}", responses=answers(Job, "The job.", NOT_FOUND))
async def get(job_id: str, services: ServicesDep, identity: IdentityDep, limit: Limit = CALLS_AT_ONCE, after: After = None) -> Response:
    """Returns the job, up to a hundred of its calls, and their stored answers."""
    job = await services.jobs.get(identity, job_id, limit, after)
    return Response(await write_in_pieces(job), media_type="application/json")


@router.get("/{job_id}/costs", responses=answers(JobCosts, "The costs.", NOT_FOUND))
async def costs(job_id: str, services: ServicesDep, identity: IdentityDep) -> dict[str, Any]:
    """Returns what the job's calls have used and cost so far."""
    return await services.jobs.costs(identity, job_id)


@router.patch("/{job_id}/metadata", responses=answers(JobMetadata, "All of the metadata.", NOT_FOUND))
async def metadata(job_id: str, identity: IdentityDep, change: Json[MetadataRequest], services: ServicesDep) -> dict[str, Any]:
    """Merges into the job's metadata; null removes a key."""
    return await services.jobs.merge_metadata(identity, job_id, change.metadata)
