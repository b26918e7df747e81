"""`serving.app`: routes that are called without FastAPI's solver behave like those that go through it."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, Header, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from serving import errors
from serving.app import App, Route, _finds
from serving.bodies import Json
from serving.edge import Edge
from tests.support.served import Connection, serving
from wire.errors import ErrorCode, WireError


class Body(BaseModel):
    """A body."""

    name: str


async def caller(request: Request) -> str:
    """Who asks; refuses a request that does not say so."""
    name = request.headers.get("x-caller")
    if name is None:
        raise WireError(ErrorCode.INVALID_KEY, "No.")
    return name


CallerDep = Annotated[str, Depends(caller)]
router = APIRouter(route_class=Route)


@router.post("/direct/{thing}")
async def direct(thing: str, request: Request, who: CallerDep, body: Json[Body]) -> Response:
    """Takes text of the path, the request and two dependencies."""
    return JSONResponse([thing, request.method, who, body.name])


@router.post("/solved/{thing}")
async def solved(thing: str, request: Request, who: CallerDep, body: Json[Body], extra: Annotated[str, Header()] = "-") -> Response:
    """Takes a header too, so FastAPI has to read it."""
    return JSONResponse([thing, request.method, who, body.name])


@router.get("/number/{thing}")
async def number(thing: int) -> Response:
    """Takes a number of the path, which has to be checked."""
    return JSONResponse(thing)


@router.get("/model")
async def model(who: CallerDep) -> dict[str, Any]:
    """Returns a value that FastAPI makes into a response."""
    return {"who": who}


def _app() -> App:
    app = App()
    app.router.routes.extend(router.routes)
    return app


async def _ask(app: App, method: str, path: str, *headers: str, body: bytes = b"") -> tuple[int, Any]:
    async with serving(Edge(app, answer=errors.envelope)) as port, Connection(port) as client:
        await client.request(method, path, "Content-Type: application/json", *headers, body=body)
        status, _, answer = await client.response()
        return status, json.loads(answer)


def test_which_routes_are_direct() -> None:
    """A route is called directly if it takes no more than its dependencies, the request and text of the path."""
    direct_ones = [route.path for route in router.routes if isinstance(route, Route) and _finds(route) is not None]
    assert direct_ones == ["/direct/{thing}"]


@pytest.mark.parametrize("path", ["/direct/a%20b", "/solved/a%20b"])
async def test_both_ways_give_the_same(path: str) -> None:
    """The parameters hold the same, whichever way the route is called."""
    status, answer = await _ask(_app(), "POST", path, "X-Caller: me", body=b'{"name": "x"}')
    assert (status, answer) == (200, ["a b", "POST", "me", "x"])


@pytest.mark.parametrize("path", ["/direct/x", "/solved/x"])
async def test_dependencies_are_found_in_the_order_of_the_signature(path: str) -> None:
    """A caller without a name is refused for that, though the body is wrong too; with a name, the body is what is wrong."""
    assert (await _ask(_app(), "POST", path, body=b"{"))[0] == 401
    assert (await _ask(_app(), "POST", path, "X-Caller: me", body=b"{"))[0] == 400
    assert (await _ask(_app(), "POST", path, "X-Caller: me", body=b"{}"))[0] == 422


async def test_a_replaced_dependency() -> None:
    """FastAPI's `dependency_overrides` replace what a direct route depends on, whether the app made the route or includes it."""
    included, made = App(), App()
    included.include_router(router)
    made.router.route_class = Route
    made.post("/direct/{thing}")(direct)
    for app in (included, made):
        app.dependency_overrides[caller] = lambda: "somebody else"
        assert await _ask(app, "POST", "/direct/x", body=b'{"name": "x"}') == (200, ["x", "POST", "somebody else", "x"])


async def test_other_routes_are_still_checked() -> None:
    """A number of the path is checked, and a value that is no response becomes one."""
    assert (await _ask(_app(), "GET", "/number/x"))[0] == 422
    assert await _ask(_app(), "GET", "/number/7") == (200, 7)
    assert await _ask(_app(), "GET", "/model", "X-Caller: me") == (200, {"who": "me"})
