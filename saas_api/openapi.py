"""The parts of the OpenAPI document that the gateway's routes share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

import serving.openapi
from wire.errors import ErrorCode

OPENING = (ErrorCode.NOT_FOUND, ErrorCode.MODEL_NOT_ALLOWED, ErrorCode.SHUTTING_DOWN)
"""The errors that refuse a call."""

REPEATING = (ErrorCode.JOB_STATE, ErrorCode.STREAM_EXPIRED, ErrorCode.INTERRUPTED, ErrorCode.UPSTREAM_UNAVAILABLE)
"""The errors of a request whose `Idempotency-Key` was used before."""

ANSWERING = (
    *(ErrorCode.RATE_LIMITED, ErrorCode.UPSTREAM_ERROR, ErrorCode.UPSTREAM_TRUNCATED, ErrorCode.UPSTREAM_PROTOCOL),
    *(ErrorCode.UPSTREAM_UNAVAILABLE, ErrorCode.UPSTREAM_TIMEOUT),
)
"""The errors that a provider can cause. A job's stream reports them in a `failed` frame."""

_SHOULD_RETRY: Mapping[str, Any] = {
    "X-Should-Retry": {"description": "`retryable`, as OpenAI's SDKs read it.", "schema": {"enum": ["true", "false"]}}
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
"""For `openapi_extra`: no route declares this header, since it is read where the call is opened."""


def complete(app: FastAPI) -> None:
    """Completes the document. The routes that follow OpenAI's have no 422, and their errors say whether to ask again."""
    for path, operation in serving.openapi.complete(app):
        if path.startswith("/v1/"):
            operation["responses"].pop("422", None)
            for number, response in operation["responses"].items():
                response["headers"] |= _SHOULD_RETRY if int(number) >= 400 else {}
