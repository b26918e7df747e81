"""Every way a request can fail, as one JSON envelope: the same on each server that other programs of ours talk to."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from wire.errors import ErrorCode, WireError

Answer = Callable[[Request, WireError], Response]

_BY_STATUS = {404: ErrorCode.NOT_FOUND, 405: ErrorCode.METHOD_NOT_ALLOWED, 413: ErrorCode.TOO_LARGE}
_MESSAGES = {404: "There is nothing at this address.", 405: "This address does not take that method."}
_PLACES = {"body", "query", "path", "header"}
_NOT_AN_OBJECT = {"model_type", "model_attributes_type"}  # pydantic would name our classes


def malformed(message: str) -> WireError:
    """The request cannot be read at all."""
    return WireError(ErrorCode.INVALID_REQUEST, message, status=400)


def invalid(errors: Sequence[Any]) -> WireError:
    """Names the first field that is wrong. Takes what pydantic and FastAPI say about a validation."""
    first = errors[0]
    place = ".".join(str(part) for part in first["loc"] if part not in _PLACES) or "body"
    said = "it must be a JSON object" if first["type"] in _NOT_AN_OBJECT else first["msg"].removeprefix("Value error, ")
    return WireError(ErrorCode.INVALID_REQUEST, f"{place}: {said}", status=422)


def envelope(_request: Request, error: WireError) -> Response:
    """The response for this error; `Retry-After` in whole seconds, rounded up."""
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if error.code is ErrorCode.INVALID_KEY:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(error.to_body(), error.status, headers, "application/json")


def as_wire_error(error: Exception) -> WireError:
    """What a client is told of this error. Of an unexpected one it learns only that there was one."""
    if isinstance(error, WireError):
        return error
    if isinstance(error, RequestValidationError):
        return invalid(error.errors())
    if isinstance(error, HTTPException):
        code = _BY_STATUS.get(error.status_code, ErrorCode.INVALID_REQUEST if error.status_code < 500 else ErrorCode.INTERNAL_ERROR)
        return WireError(code, _MESSAGES.get(error.status_code, "The request cannot be read."), status=error.status_code)
    return WireError(ErrorCode.INTERNAL_ERROR, "The server made a mistake; it has been logged.")


def respond(request: Request, error: Exception, answer: Answer = envelope) -> Response:
    """The response to a request that failed with this error. `answer` gives it its form."""
    wire = as_wire_error(error)
    wire.request_id = getattr(request.state, "request_id", None)
    response = answer(request, wire)
    if isinstance(error, HTTPException):
        response.headers.update(error.headers or {})
    return response
