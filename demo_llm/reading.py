"""Reads a request's JSON without keeping the streams beside it waiting, where it holds a photograph."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

from serving.bodies import SHORT, read_json


class SlicedRoute(APIRoute):
    """A route whose long bodies are read in slices."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_sliced(request: Request) -> Response:
            return await handle(_Sliced(request.scope, request.receive))

        return handle_sliced


class _Sliced(Request):
    async def json(self) -> Any:
        body = await self.body()
        self._body = b""  # it is read once, and an answer may take long
        return json.loads(body) if len(body) <= SHORT else await read_json(body)
