"""The parts of the OpenAPI document that the middle tier's JSON routes share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

import serving.openapi
from serving.openapi import Responses
from wire.errors import ErrorCode

FRAMES = "Chunks with ids from 0, `receipt`, the `hop` of each server, then `[DONE]` or `failed`. The headers come before the first chunk."

ASKING = (ErrorCode.CSRF, ErrorCode.RATE_LIMITED)
"""The errors that refuse a message."""

WHOLE = tuple(code for code in ErrorCode if code not in {ErrorCode.INVALID_KEY, ErrorCode.METHOD_NOT_ALLOWED, ErrorCode.STREAM_EXPIRED})
"""The errors of a whole answer: whatever the gateway says. A stream reports them in a `failed` frame."""

TURN_HEADERS: Mapping[str, Any] = {
    "X-Turn-Id": {"description": "The turn's id.", "schema": {"type": "string"}},
    "Set-Cookie": {"description": "The session, where the request came without one.", "schema": {"type": "string"}},
}
WHOLE_HEADERS: Mapping[str, Any] = {
    **TURN_HEADERS,
    "Server-Timing": {"description": "The hop's times, in milliseconds.", "schema": {"type": "string"}},
}
ELSEWHERE: Responses = {
    303: {
        "description": "To the page, for a form that was sent without script.",
        "headers": {"Location": {"description": "The conversation.", "schema": {"type": "string"}}},
    }
}

_PAGE = {"schema": {"type": "string"}}


def complete(app: FastAPI) -> None:
    """Completes the document. Outside `/api`, a browser that asks for HTML gets an error as a page."""
    for path, operation in serving.openapi.complete(app):
        for status, response in operation["responses"].items():
            if int(status) >= 400 and not path.startswith("/api/"):
                response["content"]["text/html"] = _PAGE
