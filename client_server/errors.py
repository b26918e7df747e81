"""Every way a request can fail: one JSON envelope, and a page for whoever came to the address with a browser."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from client_server.services import services
from wire.errors import ErrorCode, WireError

_BY_STATUS = {404: ErrorCode.NOT_FOUND, 405: ErrorCode.METHOD_NOT_ALLOWED, 413: ErrorCode.TOO_LARGE}
_MESSAGES = {404: "There is nothing at this address.", 405: "This address does not take that method."}
_HEADINGS = {403: "Not allowed", 404: "Not found", 429: "Too many at once"}
_ADVICE = "The address may be incomplete, or what it names may belong to another browser."


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
    said = "it must be a JSON object" if first["type"] == "model_type" else first["msg"].removeprefix("Value error, ")
    return WireError(ErrorCode.INVALID_REQUEST, f"{place}: {said}", status=422)


async def _wire_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, WireError)  # noqa: S101  # registered for this class; tells the type checker
    error.request_id = getattr(request.state, "request_id", None)
    if _wants_page(request):
        response: Response = _page(request, error)
    else:
        response = Response(error.to_body(), error.status, media_type="application/json")
    response.headers["Vary"] = "Accept"
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    return response


def _wants_page(request: Request) -> bool:
    """Whether a person is going to read the answer: a browser that opens an address asks for HTML before anything else."""
    if request.url.path.startswith("/api/") or request.headers.get("hx-request") == "true":
        return False
    wanted = dict(map(_media_range, request.headers.get("accept", "").split(",")))
    return wanted.get("text/html", 0.0) > wanted.get("application/json", 0.0)


def _media_range(text: str) -> tuple[str, float]:
    """One element of `Accept` with its weight (RFC 9110, section 12.5.1); a weight that cannot be read counts as none."""
    kind, *parameters = (part.strip().lower() for part in text.split(";"))
    weight = next((parameter[2:] for parameter in parameters if parameter.startswith("q=")), "1")
    try:
        return kind, float(weight)
    except ValueError:
        return kind, 0.0


def _page(request: Request, error: WireError) -> Response:
    advice = _ADVICE if error.status == 404 else "Going back and trying again may help." if error.retryable else None
    context = {
        "heading": _HEADINGS.get(error.status, "Something broke here" if error.status >= 500 else "That did not work"),
        "message": error.message.encode("utf-8", "replace").decode(),
        "advice": advice,
        "status": error.status,
        "code": error.code.code,
        "request_id": error.request_id,
    }
    return services(request).templates.page("error.html", context, status=error.status)


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
