"""The OpenAI surface: what OpenAI's own SDKs expect, with the virtual key as API key and the model group as model."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from saas_api.answers import Completion, Model, ModelList
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
from wire.errors import ErrorCode, WireError
from wire.sse import PING_LINE

router = APIRouter(prefix="/v1", tags=["openai"], route_class=Route)

ANSWER = "The completion; with `stream`, its chunks and `[DONE]` (or an error) as events without ids or names."
PING_AFTER_S = 5.0
"""Clients of this surface are behind proxies that we do not know, and a model may think for a long time between two chunks too."""


@router.post(
    "/chat/completions",
    responses=answers(Completion, ANSWER, *OPENING, *ANSWERING, *REPEATING, content=EVENT_STREAM, headers=CALL_HEADERS),
    openapi_extra=IDEMPOTENCY_KEY,
)
async def chat_completions(identity: IdentityDep, call: Json[CompletionRequest], request: Request) -> Response:
    """Answers a chat completion, whole or streamed. Each is a job of its own. If the client leaves, the call is cancelled at once.

    A stream that has no chunk after three seconds begins without one: from there on, an error is an event of the stream.
    """
    job = JobRequest(team_id=identity.team_id, job_type="openai", user_id=None)
    streamed = bool(call.stream)
    generation = await start(request, identity, call, job, streamed=streamed)
    if not streamed:
        return await whole_answer(request, generation, saas=False)
    preface = b"" if await begun(request, generation) else PING_LINE
    translate = OpenAIFrames(include_usage=bool((call.stream_options or {}).get("include_usage")))
    return follow(request, generation, grace_s=0.0, translate=translate, preface=preface, ping=PING_LINE, ping_after_s=PING_AFTER_S)


@router.get("/models", responses=answers(ModelList, "The model groups."))
async def models(services: ServicesDep, identity: IdentityDep) -> dict[str, Any]:
    """Lists the model groups this key may use, as models."""
    return {"object": "list", "data": [_model(name) for name in services.model_groups.names if identity.may_use(name)]}


@router.get("/models/{model:path}", responses=answers(Model, "The model group.", ErrorCode.NOT_FOUND))
async def model(model: str, services: ServicesDep, identity: IdentityDep) -> dict[str, Any]:
    """Returns one of them. Its name may hold slashes, percent-encoded or not."""
    if model not in services.model_groups.names or not identity.may_use(model):
        raise WireError(ErrorCode.NOT_FOUND, f"There is no model named {model[:100]!r}.")
    return _model(model)


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "saas_api"}


def refusal(request: Request, error: WireError) -> Response:
    """Returns an error's response. On the OpenAI surface it tells OpenAI's SDKs whether to ask again: by themselves they go by the status.

    OpenAI's API has no 422. If a request with an `Idempotency-Key` is repeated, it gets the error of the same call.
    """
    if not route_path(request.scope).startswith("/v1/"):
        return errors.envelope(request, error)
    if error.status == 422:
        error.status = 400
    if "idempotency-key" in request.headers and (error.hop is not None or error.code is ErrorCode.INTERRUPTED):
        error.retryable = False
    response = errors.envelope(request, error)
    response.headers["X-Should-Retry"] = "true" if error.retryable else "false"
    return response
