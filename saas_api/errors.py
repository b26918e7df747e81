"""Every way a request can fail, as one JSON envelope."""

from __future__ import annotations

import logging
import math
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from wire.errors import ErrorCode, WireError

logger = logging.getLogger(__name__)

_BY_STATUS = {404: ErrorCode.NOT_FOUND, 405: ErrorCode.METHOD_NOT_ALLOWED, 413: ErrorCode.TOO_LARGE}
_NOT_AN_OBJECT = {"model_type", "model_attributes_type"}  # pydantic would name our classes


def install(app: FastAPI) -> None:
    """Makes the app answer every failure in the envelope."""
    app.add_exception_handler(WireError, _wire_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(Exception, _unexpected)


def error_response(request: Request, error: WireError) -> Response:
    """The response that says this error; `Retry-After` in whole seconds, rounded up."""
    error.request_id = getattr(request.state, "request_id", None)
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after))
    if error.code is ErrorCode.INVALID_KEY:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(error.to_body(), error.status, headers, "application/json")


async def _wire_error(request: Request, error: Any) -> Response:
    return error_response(request, error)


async def _validation_error(request: Request, error: Any) -> Response:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return error_response(request, WireError(ErrorCode.INVALID_REQUEST, "The request's body is not valid JSON."))
    place = ".".join(str(part) for part in first["loc"] if part != "body") or "body"
    said = "it must be a JSON object" if first["type"] in _NOT_AN_OBJECT else first["msg"].removeprefix("Value error, ")
    status = 400 if first["type"] == "not_portable" or request.url.path.startswith("/v1/") else 422  # OpenAI's surface knows no 422
    return error_response(request, WireError(ErrorCode.INVALID_REQUEST, f"{place}: {said}", status=status))


async def _http_exception(request: Request, error: Any) -> Response:
    code = _BY_STATUS.get(error.status_code, ErrorCode.INVALID_REQUEST if error.status_code < 500 else ErrorCode.INTERNAL_ERROR)
    message = {404: "There is nothing at this address.", 405: "This address does not take that method."}.get(
        error.status_code, "The request cannot be read."
    )
    return error_response(request, WireError(code, message, status=error.status_code))


async def _unexpected(request: Request, error: Exception) -> Response:
    logger.error("unexpected %s", type(error).__name__, exc_info=error)
    return error_response(request, WireError(ErrorCode.INTERNAL_ERROR, "The server made a mistake; it has been logged."))
