"""A FastAPI application behind our edge, which answers what goes wrong in it.

FastAPI stacks five middlewares around its router; three of them wrap every message that an answer is made of, which costs each chunk of a
stream. What they do, the edge does for all of our servers: it answers errors and mistakes and bounds bodies. So the stack is left
out, and middlewares that are added to the app still stand in the way as ASGI wants it.
"""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.types import ASGIApp


class App(FastAPI):
    """Raises what goes wrong instead of answering it: `serving.edge.Edge` must stand around it."""

    def build_middleware_stack(self) -> ASGIApp:
        stack: ASGIApp = AsyncExitStackMiddleware(self.router)  # which FastAPI's own routes need for their forms
        for middleware, args, options in reversed(self.user_middleware):
            stack = middleware(stack, *args, **options)
        return stack
