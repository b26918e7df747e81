"""`serving.bodies`: what is read as a request's JSON body, and when."""

from __future__ import annotations

from typing import Annotated

import pytest
from fastapi import Depends
from pydantic import BaseModel

from serving import errors
from serving.app import App
from serving.bodies import MAX_VALUES, SHORT, Json, parse
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
async def test_json(content_type: str) -> None:
    """Whatever calls itself JSON is read as that."""
    assert await parse(Body, content_type, b'{"name": "x", "parts": [1, 2]}') == Body(name="x", parts=[1, 2])


@pytest.mark.parametrize(
    ("content_type", "body", "status", "said"),
    [
        ("application/json", b"", 422, "body: it must be a JSON object"),
        (None, b'{"name": "x"}', 422, "Content-Type"),
        ("text/plain", b'{"name": "x"}', 422, "Content-Type"),
        ("text/x+json", b'{"name": "x"}', 422, "Content-Type"),
        ("application/json", b'{"name": ', 400, "not valid JSON"),
        ("application/json", b'{"name": "\xff"}', 400, "not valid JSON"),
        ("application/json", b'{"name": "x", "more": NaN}', 400, "not valid JSON"),
        ("application/json", b'{"name": "x", "more": -Infinity}', 400, "not valid JSON"),
        ("application/json", '{"name": "x"}'.encode("utf-16"), 400, "not valid JSON"),
        ("application/json", b"[" * 100_000, 400, "levels"),
        ("application/json", b'{"name": "x", "more": ' + b"[" * 260 + b"]" * 260 + b"}", 400, "levels"),
        ("application/json", b'{"name": ' + b"1" * 5000 + b"}", 400, "64 bits"),
        ("application/json", b'{"name": "x", "more": 99999999999999999999}', 400, "64 bits"),
        ("application/json", b'{"name": "\\ud800"}', 400, "surrogate"),
        ("application/json", b'{"name": "x", "parts": [1, "b"]}', 422, "parts.1: "),
        ("application/json", b"[]", 422, "body: it must be a JSON object"),
    ],
)
async def test_what_is_refused(content_type: str | None, body: bytes, status: int, said: str) -> None:
    """What cannot be read is 400, a field that is wrong 422 and named."""
    with pytest.raises(WireError) as raised:
        await parse(Body, content_type, body)
    assert (raised.value.code, raised.value.status) == (ErrorCode.INVALID_REQUEST, status)
    assert said in raised.value.message


FILL = b'"' + b"x" * SHORT + b'", "more": '


@pytest.mark.parametrize(
    ("rest", "status", "said"),
    [
        (b'"\xff"}', 400, "not valid JSON"),
        (b"NaN}", 400, "not valid JSON"),
        (b"1", 400, "not valid JSON"),
        (b"[" * 260 + b"]" * 260 + b"}", 400, "levels"),
        (b"[" * 249 + b'"' + b"x" * SHORT + b'"' + b"]" * 249 + b', "most": 1}', 200, ""),
        (b"[" * 250 + b'"' + b"x" * SHORT + b'"' + b"]" * 250 + b"}", 400, "levels"),
        (b"[" * 100_000, 400, "levels"),
        (b"1" * 5000 + b"}", 400, "64 bits"),
        (b"99999999999999999999}", 400, "64 bits"),
        (b'"\\ud800"}', 400, "surrogate"),
        (b'"\\ud800' + b"x" * SHORT + b'"}', 400, "surrogate"),
        (b'1, "parts": [1, "b"]}', 422, "parts.1: "),
        (b"[" + b"1," * MAX_VALUES + b"1]}", 413, "50000 values"),
        (b"[" + b"{}," * MAX_VALUES + b"1]}", 413, "50000 values"),
        (b'"' + b"[{,," * MAX_VALUES + b'"}', 200, ""),
    ],
)
async def test_a_long_body_is_refused_for_the_same(rest: bytes, status: int, said: str) -> None:
    """It is read in slices, which shows in nothing; but it may hold no more than so many values, which commas in a text are not."""
    body = b'{"name": ' + FILL + rest
    if status == 200:
        assert (await parse(Body, "application/json", body)).name == "x" * SHORT
        return
    with pytest.raises(WireError) as raised:
        await parse(Body, "application/json", body)
    assert raised.value.status == status
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
