"""Jobs and their calls."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from starlette.responses import Response

from saas_api.jobs import JobStatus
from saas_api.relay import EventStream, index_after
from saas_api.running import running, start, whole_answer
from saas_api.schemas import CallRequest, CompleteRequest, JobCallRequest, JobRequest, MetadataRequest
from saas_api.services import IdentityDep, ServicesDep

router = APIRouter(prefix="/api/jobs", tags=["jobs"])

STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Chunks with ids from 0, `receipt`, `hop`, then `[DONE]` or `failed`. Headers: `X-Job-Id`, `X-Call-Id`.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@router.post("/create", status_code=201)
async def create(job: JobRequest, services: ServicesDep, identity: IdentityDep) -> dict[str, Any]:
    """Creates a job, which groups the calls made for one purpose."""
    return await services.jobs.create(identity, job)


@router.post("/create-and-call")
async def create_and_call(job: JobCallRequest, request: Request, services: ServicesDep, identity: IdentityDep) -> Any:
    """One call's whole life in one request: a job is created, called, and ended with the call."""
    return await whole_answer(request, await start(services, identity, request, job, job, streamed=False))


@router.post("/create-and-call-stream", responses=STREAM, response_class=Response)
async def create_and_call_stream(job: JobCallRequest, request: Request, services: ServicesDep, identity: IdentityDep) -> Response:
    """The same, streamed. With an `Idempotency-Key`, repeating the request leads to the same call's stream, from its beginning."""
    return EventStream(services.generations, await start(services, identity, request, job, job, streamed=True))


@router.post("/{job_id}/llm-call")
async def llm_call(job_id: str, call: CallRequest, request: Request, services: ServicesDep, identity: IdentityDep) -> Any:
    """A whole `chat.completion`, with `saas` beside it: the receipt and the hop's timings."""
    return await whole_answer(request, await start(services, identity, request, call, job_id, streamed=False))


@router.post("/{job_id}/llm-call-stream", responses=STREAM, response_class=Response)
async def llm_call_stream(job_id: str, call: CallRequest, request: Request, services: ServicesDep, identity: IdentityDep) -> Response:
    """The answer as it is generated. The headers come at once; what goes wrong after them is a `failed` frame."""
    return EventStream(services.generations, await start(services, identity, request, call, job_id, streamed=True))


@router.get("/{job_id}/calls/{call_id}/stream", responses=STREAM, response_class=Response)
async def resume(
    job_id: str, call_id: str, services: ServicesDep, identity: IdentityDep, last_event_id: Annotated[str | None, Header()] = None
) -> Response:
    """The stream again, from the frame after `Last-Event-ID`, or from its beginning."""
    index = index_after(last_event_id)
    return EventStream(services.generations, await running(services, identity, job_id, call_id), index)


@router.post("/{job_id}/calls/{call_id}/cancel")
async def cancel(job_id: str, call_id: str, services: ServicesDep, identity: IdentityDep) -> dict[str, Any]:
    """Stops the provider now and settles what was generated. A call that has ended already stays as it ended."""
    generation = services.generations.get(call_id)
    if generation is not None and generation.call.job_id == job_id and generation.call.team_id == identity.team_id:
        generation.cancel()
        await generation.ended.wait()
        return {"job_id": job_id, "call_id": call_id, "status": generation.outcome.value}
    record = await services.calls.find(identity, job_id, call_id)
    return {"job_id": job_id, "call_id": call_id, "status": record.status}


@router.post("/{job_id}/complete")
async def complete(job_id: str, end: CompleteRequest, services: ServicesDep, identity: IdentityDep) -> dict[str, Any]:
    """Ends the job and answers its costs."""
    return await services.jobs.complete(identity, job_id, JobStatus(end.status), end.metadata, end.error_message)


@router.get("/{job_id}")
async def get(job_id: str, services: ServicesDep, identity: IdentityDep) -> dict[str, Any]:
    """The job, its calls and their stored answers."""
    return await services.jobs.get(identity, job_id)


@router.get("/{job_id}/costs")
async def costs(job_id: str, services: ServicesDep, identity: IdentityDep) -> dict[str, Any]:
    """What the job's calls have used and cost so far."""
    return await services.jobs.costs(identity, job_id)


@router.patch("/{job_id}/metadata")
async def metadata(job_id: str, change: MetadataRequest, services: ServicesDep, identity: IdentityDep) -> dict[str, Any]:
    """Merges into the job's metadata; null removes a key."""
    return await services.jobs.merge_metadata(identity, job_id, change.metadata)
