"""FastAPI behind our edge, which answers what goes wrong in an app.

FastAPI stacks five middlewares around its router, and one more around each route. Four of them wrap every message of an answer, which costs
each chunk of a stream. The edge does their work for all of our servers: it answers errors and mistakes, and bounds bodies. So they are
left out. Middlewares that are added to an app still see every message, in ASGI's own way.

FastAPI also works out anew, for every request, what a route's parameters are made of. That is a twentieth of a short answer's cost. So a
route is called directly if it takes no more than what its dependencies find in the request, and text of the path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from inspect import iscoroutinefunction
from typing import Any, get_type_hints

from fastapi import FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

Find = Callable[[Request], Awaitable[Any]]
"""A dependency that needs the request alone."""


class App(FastAPI):
    """Raises what goes wrong instead of answering it: `serving.edge.Edge` must stand around it.

    FastAPI's own telemetry is off unless it is asked for. It would wrap every message too, and look for its providers at every request.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"telemetry": {"tracing": False, "metrics": False, "logs": False}} | options)

    def build_middleware_stack(self) -> ASGIApp:
        stack: ASGIApp = AsyncExitStackMiddleware(self.router)  # FastAPI's own routes need it for their forms
        for middleware, args, options in reversed(self.user_middleware):
            stack = middleware(stack, *args, **options)
        return stack


class Route(APIRoute):
    """A route of such an app, for `APIRouter(route_class=Route)`: what it raises goes up to the edge."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        usual, finds = _respond(self.get_route_handler()), _finds(self)
        self.app = usual if finds is None else _direct(self, finds, usual)


def _respond(handle: Callable[[Request], Coroutine[Any, Any, Response]]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async with AsyncExitStack() as for_requests, AsyncExitStack() as for_functions:
            scope["fastapi_inner_astack"], scope["fastapi_function_astack"] = for_requests, for_functions  # where FastAPI looks for them
            response = await handle(Request(scope, receive, send))
            await for_functions.aclose()
            await response(scope, receive, send)

    return app


def _direct(route: APIRoute, finds: dict[str, Find], usual: ASGIApp) -> ASGIApp:
    """The route without FastAPI's solver. Dependencies are found in the order of the signature, as the solver does."""
    endpoint, request_name, provider = route.endpoint, route.dependant.request_param_name, route.dependency_overrides_provider

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if provider is not None and provider.dependency_overrides:  # a test has replaced dependencies
            await usual(scope, receive, send)
            return
        request = Request(scope, receive, send)
        values = {name: await find(request) for name, find in finds.items()} | request.path_params
        if request_name is not None:
            values[request_name] = request
        response: Response = await endpoint(**values)
        del values  # the response may take long, and the body may be long
        await response(scope, receive, send)

    return app


def _finds(route: APIRoute) -> dict[str, Find] | None:
    """The route's dependencies by parameter; None if the route, or one of them, takes more than the request and text of the path."""
    whole = route.dependant
    answers = issubclass(get_type_hints(route.endpoint).get("return", object), Response)
    text = all(field.field_info.annotation is str and not field.field_info.metadata for field in whole.path_params)
    if not (answers and text and _is_plain(whole)):
        return None
    finds: dict[str, Find] = {}
    for part in whole.dependencies:
        if part.name is None or part.call is None or part.request_param_name != "request" or part.dependencies or part.path_params:
            return None
        if not _is_plain(part):
            return None
        finds[part.name] = part.call
    return finds


def _is_plain(dependant: Dependant) -> bool:
    """Whether it is awaited, and nothing is read from query, headers, cookies or body."""
    call = dependant.call
    fields = (dependant.query_params, dependant.header_params, dependant.cookie_params, dependant.body_params)
    others = (dependant.background_tasks_param_name, dependant.response_param_name, dependant.security_scopes_param_name)
    awaited = iscoroutinefunction(call) or iscoroutinefunction(type(call).__call__)
    return awaited and not any(fields) and not any(others)
