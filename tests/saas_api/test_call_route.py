"""How the routes that open calls read a body, and which endpoints they can serve."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.responses import Response

from saas_api.call_route import CallRoute, parse


class Body(BaseModel):
    """A body."""

    name: str
    parts: list[int] = []


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json"])
def test_json(content_type: str) -> None:
    """Whatever calls itself JSON is read as that."""
    assert parse(Body, content_type, b'{"name": "x", "parts": [1, 2]}') == Body(name="x", parts=[1, 2])


@pytest.mark.parametrize(
    ("content_type", "body", "kind", "place"),
    [
        ("application/json", b"", "missing", ("body",)),
        (None, b'{"name": "x"}', "not_json", ("body",)),
        ("text/plain", b'{"name": "x"}', "not_json", ("body",)),
        ("text/x+json", b'{"name": "x"}', "not_json", ("body",)),
        ("application/json", b'{"name": ', "json_invalid", ("body",)),
        ("application/json", b'{"name": "\xff"}', "json_invalid", ("body",)),
        ("application/json", b"[" * 100_000, "not_portable", ("body",)),
        ("application/json", b'{"name": "x", "more": ' + b"[" * 260 + b"]" * 260 + b"}", "not_portable", ("body",)),
        ("application/json", b'{"name": ' + b"1" * 5000 + b"}", "not_portable", ("body",)),
        ("application/json", b'{"name": "x", "more": 99999999999999999999}', "not_portable", ("body",)),
        ("application/json", b'{"name": "\\ud800"}', "not_portable", ("body",)),
        ("application/json", b'{"name": "x", "parts": [1, "b"]}', "int_parsing", ("body", "parts", 1)),
        ("application/json", b"[]", "model_type", ("body",)),
    ],
)
def test_what_is_refused(content_type: str | None, body: bytes, kind: str, place: tuple[Any, ...]) -> None:
    """The error names the place, as FastAPI's does."""
    with pytest.raises(RequestValidationError) as raised:
        parse(Body, content_type, body)
    first = raised.value.errors()[0]
    assert (first["type"], first["loc"]) == (kind, place)


def test_other_signatures() -> None:
    """An endpoint that takes what is not known here is told when its route is made, not when it is called."""
    calls = APIRouter(route_class=CallRoute)

    async def whole(thing: str, body: Body, request: Request, services: Any, identity: Any) -> Response:
        return Response()

    async def without_a_body(request: Request, services: Any, identity: Any) -> Response:
        return Response()

    async def without_its_path(body: Body, request: Request, services: Any, identity: Any) -> Response:
        return Response()

    async def with_more(thing: str, body: Body, page: int, request: Request, services: Any, identity: Any) -> Response:
        return Response()

    async def untyped(thing: str, body, request: Request, services: Any, identity: Any) -> Response:  # type: ignore[no-untyped-def]  # the missing type is the case
        return Response()

    calls.post("/{thing}")(whole)
    for endpoint in (without_a_body, without_its_path, with_more, untyped):
        with pytest.raises(TypeError, match=endpoint.__name__):
            calls.post("/{thing}")(endpoint)
