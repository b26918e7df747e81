"""The OpenAPI document: what routes declare of their answers, and what holds for all of them.

A route declares what it answers and the errors that are its own, with `answers`. The rest follows from the route and is added by
`complete`: a key can be refused where one is asked for, a body can be malformed or too large where there is one, and so on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from saas_api.answers import ErrorAnswer
from wire.errors import ErrorCode

Responses = dict[int | str, dict[str, Any]]

MEANINGS: Mapping[ErrorCode, str] = {
    ErrorCode.INVALID_REQUEST: "something in the request is malformed; the message says what",
    ErrorCode.INVALID_KEY: "no, a malformed, an unknown, a revoked or an expired key",
    ErrorCode.MODEL_NOT_ALLOWED: "the team may not use this model group",
    ErrorCode.NOT_FOUND: "it does not exist, or belongs to someone else",
    ErrorCode.JOB_FINISHED: "the job has ended",
    ErrorCode.JOB_STATE: "the job or call is in a state that does not allow this",
    ErrorCode.STREAM_EXPIRED: "the stream can be resumed no longer; the message says where the stored answer is",
    ErrorCode.TOO_LARGE: "the body is over the limit",
    ErrorCode.RATE_LIMITED: "too many requests",
    ErrorCode.INTERNAL_ERROR: "the server made a mistake",
    ErrorCode.UPSTREAM_ERROR: "the model provider failed",
    ErrorCode.UPSTREAM_TRUNCATED: "the answer of the model provider was cut",
    ErrorCode.UPSTREAM_PROTOCOL: "the model provider answered what cannot be read",
    ErrorCode.INTERRUPTED: "the server that ran the call died",
    ErrorCode.UPSTREAM_UNAVAILABLE: "the model provider, or the server that runs the call, cannot be reached",
    ErrorCode.SHUTTING_DOWN: "the server is shutting down",
    ErrorCode.UPSTREAM_TIMEOUT: "the model provider kept silent for too long",
}

OPENING = (ErrorCode.NOT_FOUND, ErrorCode.MODEL_NOT_ALLOWED, ErrorCode.SHUTTING_DOWN)
"""What can refuse a call."""

REPEATING = (ErrorCode.JOB_STATE, ErrorCode.STREAM_EXPIRED, ErrorCode.INTERRUPTED, ErrorCode.UPSTREAM_UNAVAILABLE)
"""What can become of a request whose `Idempotency-Key` was used before."""

ANSWERING = (
    *(ErrorCode.RATE_LIMITED, ErrorCode.UPSTREAM_ERROR, ErrorCode.UPSTREAM_TRUNCATED, ErrorCode.UPSTREAM_PROTOCOL),
    *(ErrorCode.UPSTREAM_UNAVAILABLE, ErrorCode.UPSTREAM_TIMEOUT),
)
"""What a provider can do to a call; a stream of a job tells it in a `failed` frame."""

EVENT_STREAM: Mapping[str, Any] = {
    "text/event-stream": {
        "schema": {"type": "string"},
        "example": 'id: 0\ndata: {"object":"chat.completion.chunk","choices":[…]}\n\nevent: receipt\ndata: {…}\n\ndata: [DONE]\n\n',
    }
}

_IDS = {"X-Job-Id": "The job's id.", "X-Call-Id": "The call's id."}
CALL_HEADERS: Mapping[str, Any] = {name: {"description": what, "schema": {"type": "string"}} for name, what in _IDS.items()}
TIMED_HEADERS: Mapping[str, Any] = {
    **CALL_HEADERS,
    "Server-Timing": {"description": "The hop's times, in milliseconds.", "schema": {"type": "string"}},
}

IDEMPOTENCY_KEY: dict[str, Any] = {
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "Any text of the caller's. The same request with the same key leads to the call that it started the first time.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 200},
        }
    ]
}
"""For `openapi_extra`: the header is read where the call is opened."""

_REQUEST_ID = {"X-Request-Id": {"description": "The request's id, the caller's own where it sent one.", "schema": {"type": "string"}}}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds, where it is known when to come back.", "schema": {"type": "integer"}}}
_CHALLENGE = {"WWW-Authenticate": {"description": "What to authenticate with.", "schema": {"const": "Bearer"}}}
_HEADERS: Mapping[str, Mapping[str, Any]] = {"401": _CHALLENGE, "429": _RETRY_AFTER, "503": _RETRY_AFTER}


def answers(model: type[BaseModel] | None, what: str, *errors: ErrorCode, status: int = 200, **more: Any) -> Responses:
    """For a route's `responses`: its answer with a sentence about it, and the errors that are its own."""
    found: Responses = {status: {"description": what, **({} if model is None else {"model": model}), **more}}
    for number, codes in _by_status(errors).items():
        found[number] = {"model": ErrorAnswer, "description": _described(codes)}
    return found


def complete(app: FastAPI) -> None:
    """Adds to the app's document what follows from the routes; here and not when it is first asked for, which would hold up streams."""
    document = app.openapi()
    for path, operation in _operations(document):
        responses = operation["responses"]
        if "HTTPValidationError" in str(responses.get("422")):
            del responses["422"]  # the framework's own, which is never sent
        codes = [ErrorCode.INVALID_REQUEST, ErrorCode.INTERNAL_ERROR]
        codes += [ErrorCode.INVALID_KEY] if "security" in operation else []
        codes += [ErrorCode.TOO_LARGE] if "requestBody" in operation else []
        for number, group in _by_status(codes).items():
            responses.setdefault(str(number), _error(group))
        if "requestBody" in operation:
            responses["408"] = _error([ErrorCode.INVALID_REQUEST], "`invalid_request`: the body did not come in time")
            if not path.startswith("/v1/"):
                responses["422"] = _error([ErrorCode.INVALID_REQUEST], "`invalid_request`: a field is malformed; the message says which")
        for number, response in responses.items():
            response["headers"] = {**response.get("headers", {}), **_HEADERS.get(number, {}), **_REQUEST_ID}
            for content in response.get("content", {}).values():
                if "$ref" in content["schema"]:
                    content["schema"] = {"$ref": content["schema"]["$ref"]}  # the route's annotation says less
        operation["responses"] = dict(sorted(responses.items()))
    for unused in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(unused, None)


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            yield path, operation


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
