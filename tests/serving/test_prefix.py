"""`serving.prefix`: a server that a proxy shows under a path, whether the proxy passes that path on or not. Over real sockets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from serving.edge import Edge
from serving.hosts import Hosts
from serving.prefix import Prefix, checked, root_of, route_path
from tests.support.served import Connection, serving


async def reached(request: Request) -> Response:
    """Which route it is, and what it knows of its address."""
    return JSONResponse({"route": route_path(request.scope), "root": root_of(request.scope), "url": request.url.path})


def app(root_path: str) -> Edge:
    routes = [
        Route("/", reached),
        Route("/health", reached),
        Route("/chat/{name}", reached, methods=["GET", "POST"]),
        Route("/c/{name}", reached),
        Mount("/static", routes=[Route("/file", reached)]),
    ]
    return Edge(Starlette(routes=routes), hosts=Hosts(["test"]), prefix=Prefix(root_path, routes))


async def asked(root_path: str, path: str, method: str = "GET") -> tuple[int, Mapping[str, Any]]:
    async with serving(app(root_path)) as port, Connection(port) as client:
        await client.request(method, path)
        status, _, body = await client.response()
    return status, json.loads(body) if status == 200 else {}


@pytest.mark.parametrize("root_path", ["/apps/one", "/chat", "/c", "/static", "/chat/one"])
@pytest.mark.parametrize("path", ["/", "/health", "/chat/messages", "/c/1", "/static/file"])
async def test_a_proxy_may_pass_the_prefix_on_or_not(root_path: str, path: str) -> None:
    """Either way the route is found, and its address begins with the prefix, also where a route of ours has the prefix's name."""
    whole = {"route": path, "root": root_path, "url": root_path + path}
    assert await asked(root_path, path) == (200, whole)
    assert await asked(root_path, root_path + path) == (200, whole)


async def test_the_prefix_alone_is_the_page() -> None:
    """Without its last slash too, since a proxy that passes everything on does not add one."""
    assert await asked("/apps", "/apps") == (200, {"route": "/", "root": "/apps", "url": "/apps/"})


async def test_a_prefix_ends_where_its_segment_does() -> None:
    """A longer name that begins like it is another path; another method is still the same route."""
    assert (await asked("/apps", "/appsx/health"))[0] == 404
    assert (await asked("/apps", "/apps/nothing"))[0] == 404
    assert (await asked("/chat", "/chat/messages", "POST"))[0] == 200
    assert (await asked("/chat", "/chat/c/1", "POST"))[0] == 405


async def test_without_a_prefix_nothing_changes() -> None:
    """The default."""
    assert await asked("", "/c/1") == (200, {"route": "/c/1", "root": "", "url": "/c/1"})


async def test_health_needs_no_host_under_the_prefix_either() -> None:
    """Whoever looks whether the server is up may ask at either address."""
    async with serving(app("/apps")) as port:
        for path in (b"/health", b"/apps/health"):
            async with Connection(port) as client:
                await client.send(b"GET " + path + b" HTTP/1.0\r\n\r\n")
                assert (await client.response())[0] == 200


@pytest.mark.parametrize("value", ["", "/a", "/chat.app", "/a/b-c/d_e/~f", "/..."])
def test_a_prefix_is_a_path(value: str) -> None:
    """It is kept as it was written."""
    assert checked(value) == value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("chat", "begin with a slash"),
        ("https://host/chat", "begin with a slash"),
        ("/", "not end with a slash"),
        ("/chat/", "not end with a slash"),
        ("//host", "single slashes"),
        ("/a//b", "single slashes"),
        ("/a b", "single slashes"),
        ("/a;b", "single slashes"),
        ('/a"b', "single slashes"),
        ("/a%2fb", "single slashes"),
        ("/a?b", "single slashes"),
        ("/ä", "single slashes"),
        ("/a\n", "single slashes"),
        ("/a/../b", "neither . nor .. alone"),
        ("/.", "neither . nor .. alone"),
    ],
)
def test_anything_else_is_refused(value: str, said: str) -> None:
    """The sentence says what is wrong with it."""
    with pytest.raises(ValueError, match=said.replace(".", r"\.")):
        checked(value)
