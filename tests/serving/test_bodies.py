"""`serving.bodies`: what is read as a request's JSON body, and when."""

from __future__ import annotations

from typing import Annotated

import pytest
from fastapi import Depends
from pydantic import BaseModel

from serving import errors
from serving.app import App
from serving.bodies import Json, parse
from serving.edge import Edge
from serving.openapi import complete
from tests.support.served import Connection, serving
from wire.errors import ErrorCode, WireError


class Body(BaseModel):
    """A body."""

    name: str
    parts: list[int] = []


async def nobody() -> None:
    """A dependency that lets nobody in."""
    raise WireError(ErrorCode.INVALID_KEY, "No.")


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json"])
def test_json(content_type: str) -> None:
    """Whatever calls itself JSON is read as that."""
    assert parse(Body, content_type, b'{"name": "x", "parts": [1, 2]}') == Body(name="x", parts=[1, 2])


@pytest.mark.parametrize(
    ("content_type", "body", "status", "said"),
    [
        ("application/json", b"", 422, "body: it must be a JSON object"),
        (None, b'{"name": "x"}', 422, "Content-Type"),
        ("text/plain", b'{"name": "x"}', 422, "Content-Type"),
        ("text/x+json", b'{"name": "x"}', 422, "Content-Type"),
        ("application/json", b'{"name": ', 400, "not valid JSON"),
        ("application/json", b'{"name": "\xff"}', 400, "not valid JSON"),
        ("application/json", b"[" * 100_000, 400, "levels"),
        ("application/json", b'{"name": "x", "more": ' + b"[" * 260 + b"]" * 260 + b"}", 400, "levels"),
        ("application/json", b'{"name": ' + b"1" * 5000 + b"}", 400, "64 bits"),
        ("application/json", b'{"name": "x", "more": 99999999999999999999}', 400, "64 bits"),
        ("application/json", b'{"name": "\\ud800"}', 400, "surrogate"),
        ("application/json", b'{"name": "x", "parts": [1, "b"]}', 422, "parts.1: "),
        ("application/json", b"[]", 422, "body: it must be a JSON object"),
    ],
)
def test_what_is_refused(content_type: str | None, body: bytes, status: int, said: str) -> None:
    """What cannot be read is 400, a field that is wrong 422 and named."""
    with pytest.raises(WireError) as raised:
        parse(Body, content_type, body)
    assert (raised.value.code, raised.value.status) == (ErrorCode.INVALID_REQUEST, status)
    assert said in raised.value.message


async def test_what_stands_before_the_body_is_checked_first() -> None:
    """A caller who may not ask learns nothing about the body, and the document still describes it."""
    app = App()

    @app.post("/guarded/{thing}")
    async def guarded(thing: str, key: Annotated[None, Depends(nobody)], body: Json[Body]) -> str:
        return thing + body.name

    @app.post("/open")
    async def unguarded(body: Json[Body]) -> str:
        return body.name

    complete(app)
    headers = ("Content-Type: application/json",)
    async with serving(Edge(app, answer=errors.envelope)) as port:
        for path, body, status in (
            ("/guarded/x", b"{", 401),
            ("/open", b"{", 400),
            ("/open", b"{}", 422),
            ("/open", b'{"name": "x"}', 200),
        ):
            async with Connection(port) as client:
                await client.request("POST", path, *headers, body=body)
                assert (await client.response())[0] == status
    document = app.openapi()
    for path in ("/guarded/{thing}", "/open"):
        taken = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert taken == {"$ref": "#/components/schemas/Body"}
    assert document["components"]["schemas"]["Body"]["required"] == ["name"]
