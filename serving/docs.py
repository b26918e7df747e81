"""The description of a server's routes for people: a page that loads nothing from anywhere else, and works without a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

STATIC = Path(__file__).parent / "static"

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


async def page(_request: Request) -> Response:
    """Swagger UI, which reads the server's OpenAPI document."""
    return FileResponse(STATIC / "docs.html", headers=dict(SECURITY_HEADERS))


routes: list[BaseRoute] = [Route("/docs", page), Mount("/docs/static", StaticFiles(directory=STATIC, check_dir=False))]
