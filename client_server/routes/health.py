"""Whether the server serves."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


async def health(_request: Request) -> Response:
    """Answers as soon as the server takes requests."""
    return JSONResponse({"status": "ok", "service": "client_server"})


routes = [Route("/health", health)]
