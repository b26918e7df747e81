"""Every way a request can fail, as one JSON envelope."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from wire.errors import ErrorCode, WireError

_BY_STATUS = {404: ErrorCode.NOT_FOUND, 405: ErrorCode.METHOD_NOT_ALLOWED, 413: ErrorCode.TOO_LARGE}
_MESSAGES = {404: "There is nothing at this address.", 405: "This address does not take that method."}


def not_found(what: str) -> WireError:
    """Also for what belongs to someone else: the answer does not tell the two apart."""
    return WireError(ErrorCode.NOT_FOUND, f"There is no such {what}.")


def malformed(message: str) -> WireError:
    """The request cannot be read at all."""
    return WireError(ErrorCode.INVALID_REQUEST, message, status=400)


def invalid_field(error: ValidationError) -> WireError:
    """The first field that is wrong, by name."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"])) or "body"
    return WireError(ErrorCode.INVALID_REQUEST, f"{place}: {first['msg'].removeprefix('Value error, ')}", status=422)


async def _wire_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, WireError)  # noqa: S101  # registered for this class; tells the type checker
    error.request_id = getattr(request.state, "request_id", None)
    headers = {} if error.retry_after is None else {"Retry-After": str(max(1, math.ceil(error.retry_after)))}
    return Response(error.to_body(), error.status, headers, "application/json")


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for this class; tells the type checker
    code = _BY_STATUS.get(error.status_code, ErrorCode.INVALID_REQUEST)
    message = _MESSAGES.get(error.status_code, "The request cannot be read.")
    response = await _wire_error(request, WireError(code, message, status=error.status_code))
    response.headers.update(error.headers or {})
    return response


async def _unexpected(request: Request, _error: Exception) -> Response:
    """It is raised again behind this answer, and the server logs it."""
    return await _wire_error(request, WireError(ErrorCode.INTERNAL_ERROR, "The server made a mistake; it has been logged."))


HANDLERS: Mapping[Any, Any] = {WireError: _wire_error, HTTPException: _http_exception, Exception: _unexpected}
"""For the app; what is not named here does not reach a client."""
