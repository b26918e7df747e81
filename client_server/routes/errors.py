"""Answers errors: in the chain's JSON form, or as a page if a browser opened the address."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from client_server.services import services
from serving.errors import envelope
from serving.prefix import route_path
from wire.errors import WireError

_HEADINGS = {403: "Not allowed", 404: "Not found", 429: "Too many at once"}
_ADVICE = "The address may be incomplete, or what it names may belong to another browser."


def answer(request: Request, error: WireError) -> Response:
    """Returns the response for this error."""
    response = envelope(request, error)
    if _wants_page(request):
        page = _page(request, error)
        if "retry-after" in response.headers:
            page.headers["Retry-After"] = response.headers["Retry-After"]
        response = page
    response.headers["Vary"] = "Accept"
    return response


def _wants_page(request: Request) -> bool:
    """Whether a person will read the answer: a browser that opens an address prefers HTML."""
    if route_path(request.scope).startswith("/api/") or request.headers.get("hx-request") == "true":
        return False
    wanted = dict(map(_media_range, request.headers.get("accept", "").split(",")))
    return wanted.get("text/html", 0.0) > wanted.get("application/json", 0.0)


def _media_range(text: str) -> tuple[str, float]:
    """Returns one element of `Accept` with its weight (RFC 9110, section 12.5.1). A weight that cannot be read counts as 0."""
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
