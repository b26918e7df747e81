"""FastAPI behind our edge, which answers what goes wrong in an app.

FastAPI stacks five middlewares around its router, and one more around each route. Four of them wrap every message of an answer, which costs
each chunk of a stream. The edge does their work for all of our servers: it answers errors and mistakes, and bounds bodies. So they are
left out. Middlewares that are added to an app still see every message, in ASGI's own way.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

from fastapi import FastAPI, Request
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send


class App(FastAPI):
    """Raises what goes wrong instead of answering it: `serving.edge.Edge` must stand around it."""

    def build_middleware_stack(self) -> ASGIApp:
        stack: ASGIApp = AsyncExitStackMiddleware(self.router)  # FastAPI's own routes need it for their forms
        for middleware, args, options in reversed(self.user_middleware):
            stack = middleware(stack, *args, **options)
        return stack


class Route(APIRoute):
    """A route of such an app, for `APIRouter(route_class=Route)`: what it raises goes up to the edge."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.app = _respond(self.get_route_handler())


def _respond(handle: Callable[[Request], Coroutine[Any, Any, Response]]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async with AsyncExitStack() as for_requests, AsyncExitStack() as for_functions:
            scope["fastapi_inner_astack"], scope["fastapi_function_astack"] = for_requests, for_functions  # where FastAPI looks for them
            response = await handle(Request(scope, receive, send))
            await for_functions.aclose()
            await response(scope, receive, send)

    return app
