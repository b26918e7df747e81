"""Errors in OpenAI's envelope: `{"error": {"message", "type", "param", "code"}}`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from demo_llm.chunks import to_json

logger = logging.getLogger(__name__)


class ProviderError(Exception):
    """The error with which this provider refuses a request. `retry_after` is in seconds."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"message": message, "type": type, "param": param, "code": code}
        self.retry_after = retry_after

    def response(self) -> Response:
        """The error as a response."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return Response(to_json({"error": self.error}), self.status, headers, "application/json")


def install(app: FastAPI) -> None:
    """Makes the app send every error in OpenAI's envelope."""
    app.exception_handler(ProviderError)(_on_refusal)
    app.exception_handler(RequestValidationError)(_on_invalid)
    app.exception_handler(HTTPException)(_on_http)
    app.exception_handler(Exception)(_on_bug)


async def _on_refusal(_: Request, error: ProviderError) -> Response:
    return error.response()


async def _on_invalid(_: Request, error: RequestValidationError) -> Response:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return ProviderError(400, "We could not parse the JSON body of your request.").response()
    param = _field(first["loc"])
    message = first["msg"] if param is None else f"Invalid value for '{param}': {first['msg'][:1].lower()}{first['msg'][1:]}."
    return ProviderError(400, message, param=param, code="invalid_value").response()


async def _on_http(request: Request, error: HTTPException) -> Response:
    if error.status_code == 404:
        return ProviderError(404, f"Invalid URL ({request.method} {request.url.path})", code="unknown_url").response()
    if error.status_code == 405:
        return ProviderError(405, f"Not allowed to {request.method} on {request.url.path}.", code="method_not_supported").response()
    return ProviderError(error.status_code, str(error.detail)).response()


async def _on_bug(_: Request, error: Exception) -> Response:
    logger.error("an unexpected %s", type(error).__name__)
    return ProviderError(500, "The server had an error while processing your request.", type="server_error").response()


def _field(loc: Sequence[Any]) -> str | None:
    """The path of the field as a person would write it: `messages[0].role`. The parts that pydantic adds for unions are left out."""
    path = ""
    for part in loc[1:]:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part.isidentifier() and part[0].islower() and part not in ("str", "list", "literal"):
            path += f".{part}" if path else part
    return path or None
