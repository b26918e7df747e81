"""The server: its routes. Nothing here lives longer than a request."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

from demo_llm import errors, faults
from demo_llm.chunks import Chunks
from demo_llm.errors import ProviderError
from demo_llm.generation import plan
from demo_llm.models import MODELS
from demo_llm.probe import Probe
from demo_llm.reading import SlicedRoute
from demo_llm.responses import CompletionResponse, Source, event_stream
from demo_llm.schemas import ChatRequest
from demo_llm.settings import Settings
from serving.edge import Edge
from serving.limits import BodyLimits
from serving.prefix import Prefix

CHAT = "/v1/chat/completions"


def create_app(settings: Settings) -> FastAPI:
    """The built-in provider as an ASGI app."""
    app = FastAPI(title="demo_llm", description="A simulated model that speaks OpenAI's dialect.", docs_url=None, redoc_url=None)
    app.router.route_class = SlicedRoute
    errors.install(app)
    app.get("/health")(health)
    app.get("/v1/models")(models)
    app.post(CHAT)(chat)
    limits = BodyLimits(
        settings.max_body_bytes,
        settings.body_memory_bytes,
        long_routes=tuple(route for route in app.routes if isinstance(route, APIRoute) and route.path == CHAT),
    )
    app.add_middleware(Edge, hosts=settings.hosts, prefix=Prefix(settings.root_path, app.routes), limits=limits)
    return app


async def health() -> dict[str, str]:
    """Answers as soon as the server accepts requests."""
    return {"status": "ok"}


async def models() -> dict[str, Any]:
    """The models, in OpenAI's format."""
    return {"object": "list", "data": [model.to_dict() for model in MODELS.values()]}


async def chat(body: ChatRequest, request: Request) -> Response:
    """A completion, streamed or whole, in OpenAI's format."""
    model = MODELS.get(body.model)
    if model is None:
        raise ProviderError(404, f"The model '{body.model}' does not exist.", param="model", code="model_not_found")
    start_ns: int = request.state.received_ns
    if model.fault is not None:
        generation = plan(body, model, start_ns)
        return faults.respond(model.fault, generation, model.id, stream=bool(body.stream), include_usage=body.include_usage)
    source: Source = Probe(body, start_ns) if model.probe else plan(body, model, start_ns)
    chunks = Chunks(model.id, usage_asked=body.include_usage)
    if not body.stream:
        return CompletionResponse(source.completion(chunks))
    return event_stream(source.frames(chunks, include_usage=body.include_usage))
