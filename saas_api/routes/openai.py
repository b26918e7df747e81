"""The OpenAI surface: what OpenAI's own SDKs expect, with the virtual key as API key and the model group as model."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from saas_api.answers import Completion, ModelList
from saas_api.openai_frames import OpenAIFrames
from saas_api.openapi import ANSWERING, CALL_HEADERS, IDEMPOTENCY_KEY, OPENING, REPEATING
from saas_api.running import begun, follow, start, whole_answer
from saas_api.schemas import CompletionRequest, JobRequest
from saas_api.services import IdentityDep, ServicesDep
from serving import errors
from serving.app import Route
from serving.bodies import Json
from serving.openapi import EVENT_STREAM, answers
from serving.prefix import route_path
from wire.errors import WireError

router = APIRouter(prefix="/v1", tags=["openai"], route_class=Route)

ANSWER = "The completion; with `stream`, its chunks and `[DONE]` (or an error) as events without ids or names."


@router.post(
    "/chat/completions",
    responses=answers(Completion, ANSWER, *OPENING, *ANSWERING, *REPEATING, content=EVENT_STREAM, headers=CALL_HEADERS),
    openapi_extra=IDEMPOTENCY_KEY,
)
async def chat_completions(identity: IdentityDep, call: Json[CompletionRequest], request: Request) -> Response:
    """Answers a chat completion, whole or streamed. Each is a job of its own. If the client leaves, the call is cancelled at once."""
    job = JobRequest(team_id=identity.team_id, job_type="openai", user_id=None)
    streamed = bool(call.stream)
    generation = await start(request, identity, call, job, streamed=streamed)
    if not streamed:
        return await whole_answer(request, generation, saas=False)
    await begun(request, generation)
    translate = OpenAIFrames(include_usage=bool((call.stream_options or {}).get("include_usage")))
    return follow(request, generation, grace_s=0.0, translate=translate)


@router.get("/models", responses=answers(ModelList, "The model groups."))
async def models(services: ServicesDep, identity: IdentityDep) -> dict[str, Any]:
    """Lists the model groups this key may use, as models."""
    return {
        "object": "list",
        "data": [
            {"id": name, "object": "model", "created": 0, "owned_by": "saas_api"}
            for name in services.model_groups.names
            if identity.may_use(name)
        ],
    }


def refusal(request: Request, error: WireError) -> Response:
    """Returns an error's response. OpenAI's API has no 422."""
    if error.status == 422 and route_path(request.scope).startswith("/v1/"):
        error.status = 400
    return errors.envelope(request, error)
