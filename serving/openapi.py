"""The OpenAPI document: what each route declares about its answers, and what holds for all routes.

A route declares its answer and its own errors with `answers`. The rest follows from the route, and `complete` adds it. That is the body,
the errors of a key if the route asks for one, the errors of a body if it takes one, and so on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from serving.answers import ErrorAnswer
from serving.bodies import JsonBody
from wire.errors import ErrorCode

Responses = dict[int | str, dict[str, Any]]

MEANINGS: Mapping[ErrorCode, str] = {
    ErrorCode.INVALID_REQUEST: "something in the request is malformed; the message says what",
    ErrorCode.INVALID_KEY: "no, a malformed, an unknown, a revoked or an expired key",
    ErrorCode.INSUFFICIENT_CREDITS: "the credits do not cover the call",
    ErrorCode.TEAM_SUSPENDED: "the team is suspended",
    ErrorCode.MODEL_NOT_ALLOWED: "the team may not use this model group",
    ErrorCode.CSRF: "a browser sent it for another site, or without the page's token",
    ErrorCode.NOT_FOUND: "it does not exist, or belongs to someone else",
    ErrorCode.JOB_FINISHED: "the job has ended",
    ErrorCode.JOB_STATE: "it is in a state that does not allow this",
    ErrorCode.STREAM_EXPIRED: "the stream can be resumed no longer; the message says where the stored answer is",
    ErrorCode.TOO_LARGE: "the body, or what it adds up to with what is stored, is over a limit; the message says which",
    ErrorCode.RATE_LIMITED: "too many requests",
    ErrorCode.INTERNAL_ERROR: "the server made a mistake",
    ErrorCode.UPSTREAM_ERROR: "the model provider failed",
    ErrorCode.UPSTREAM_TRUNCATED: "the answer of the model provider was cut",
    ErrorCode.UPSTREAM_PROTOCOL: "the model provider answered what cannot be read",
    ErrorCode.INTERRUPTED: "the server that ran the call died",
    ErrorCode.UPSTREAM_UNAVAILABLE: "a server above cannot be reached",
    ErrorCode.SHUTTING_DOWN: "the server is shutting down",
    ErrorCode.UPSTREAM_TIMEOUT: "the model provider kept silent for too long",
}

EVENT_STREAM: Mapping[str, Any] = {
    "text/event-stream": {
        "schema": {"type": "string"},
        "example": 'id: 0\ndata: {"object":"chat.completion.chunk","choices":[…]}\n\nevent: receipt\ndata: {…}\n\ndata: [DONE]\n\n',
    }
}

_FIELD = "`invalid_request`: a field is malformed; the message says which"
_REQUEST_ID = {"X-Request-Id": {"description": "The request's id, the caller's own where it sent one.", "schema": {"type": "string"}}}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds, where it is known when to come back.", "schema": {"type": "integer"}}}
_CHALLENGE = {"WWW-Authenticate": {"description": "What to authenticate with.", "schema": {"const": "Bearer"}}}
_HEADERS: Mapping[str, Mapping[str, Any]] = {"401": _CHALLENGE, "429": _RETRY_AFTER, "503": _RETRY_AFTER}


def answers(model: type[BaseModel] | None, what: str, *errors: ErrorCode, status: int = 200, **more: Any) -> Responses:
    """For a route's `responses`: its answer with a sentence about it, and its own errors."""
    found: Responses = {status: {"description": what, **({} if model is None else {"model": model}), **more}}
    for number, codes in _by_status(errors).items():
        found[number] = {"model": ErrorAnswer, "description": _described(codes)}
    return found


def complete(app: FastAPI) -> list[tuple[str, dict[str, Any]]]:
    """Adds to the app's document what follows from the routes. Returns its operations, each with its path.

    This is done at the start, because at the first request for the document it would hold up streams.
    """
    document = app.openapi()
    _describe_bodies(app, document)
    operations = [(path, operation) for path, methods in document["paths"].items() for operation in methods.values()]
    for _, operation in operations:
        _complete(operation)
    for unused in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(unused, None)
    return operations


def _complete(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]  # the framework's own, which is never sent
    if any(parameter["in"] == "query" for parameter in operation.get("parameters", ())):
        responses["422"] = _error([ErrorCode.INVALID_REQUEST], _FIELD)
    codes = [ErrorCode.INVALID_REQUEST, ErrorCode.INTERNAL_ERROR]
    codes += [ErrorCode.INVALID_KEY] if "security" in operation else []
    if "requestBody" in operation:
        codes += [ErrorCode.TOO_LARGE, ErrorCode.RATE_LIMITED]  # of too long a body, and of too many long ones
        responses["408"] = _error([ErrorCode.INVALID_REQUEST], "`invalid_request`: the body did not come in time")
        responses["422"] = _error([ErrorCode.INVALID_REQUEST], _FIELD)
    for number, group in _by_status(codes).items():
        responses.setdefault(str(number), _error(group))
    for number, response in responses.items():
        response["headers"] = {**response.get("headers", {}), **_HEADERS.get(number, {}), **_REQUEST_ID}
        for content in response.get("content", {}).values():
            if "$ref" in content["schema"]:
                content["schema"] = {"$ref": content["schema"]["$ref"]}  # the route's annotation says less
    operation["responses"] = dict(sorted(responses.items()))


def _describe_bodies(app: FastAPI, document: dict[str, Any]) -> None:
    """Describes what `serving.bodies.Json` takes: the framework does not, because it is a dependency."""
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    taken = [(route, body.model) for route in routes for body in bodies_of(route.dependant)]
    references, definitions = models_json_schema([(model, "validation") for _, model in taken], ref_template="#/components/schemas/{model}")
    for route, model in taken:
        body = {"required": True, "content": {"application/json": {"schema": references[model, "validation"]}}}
        for method in route.methods or ():
            document["paths"][route.path_format][method.lower()]["requestBody"] = body
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name, schema in definitions.get("$defs", {}).items():
        if schemas.setdefault(name, schema) != schema:
            raise ValueError(f"two schemas of the document are named {name}")


def bodies_of(dependant: Dependant) -> Iterator[JsonBody[Any]]:
    """What a route takes as its JSON body."""
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, JsonBody):
            yield dependency.call
        yield from bodies_of(dependency)


def _by_status(codes: Iterable[ErrorCode]) -> dict[int, list[ErrorCode]]:
    found: dict[int, list[ErrorCode]] = defaultdict(list)
    for code in dict.fromkeys(codes):
        found[code.status].append(code)
    return found


def _described(codes: Iterable[ErrorCode]) -> str:
    return "; ".join(f"`{code.code}`: {MEANINGS[code]}" for code in codes)


def _error(codes: list[ErrorCode], description: str | None = None) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{ErrorAnswer.__name__}"}
    return {"description": description or _described(codes), "content": {"application/json": {"schema": schema}}}
