"""The middle tier's OpenAPI document is complete and true: it is compared with the routes and with their real answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRouter

from client_server.routes import api, health, turns
from tests.client_server.fake_gateway import FakeGateway
from tests.client_server.visitor import Visitor
from tests.support.chain import Chain, client_server
from tests.support.described import Described, check_form

CHAT, STREAM = "/api/chat", "/api/chat/stream"
EVENTS, STOP, TIMING = "/chat/turns/{turn_id}/events", "/chat/turns/{turn_id}/stop", "/chat/turns/{turn_id}/timing"
JSON = {"Content-Type": "application/json"}
SAY = {"message": "20 1 1"}
HOP: dict[str, Any] = {"hop": "browser", "received_at": 1.5, "first_in_us": 900, "last_in_us": 1000, "frames": 2}


@pytest.fixture
async def client(chain: Chain) -> AsyncIterator[httpx.AsyncClient]:
    """A program that keeps its cookie."""
    async with httpx.AsyncClient(base_url=chain.url, timeout=20) as program:
        yield program


@pytest.fixture
async def described(client: httpx.AsyncClient) -> Described:
    """The middle tier of the shared chain, with its document."""
    return await Described.of(client)


async def test_the_document(described: Described) -> None:
    """It has every JSON route, and none of the page's."""
    routers: list[APIRouter] = [api.router, turns.router, health.router]
    routes = [route for router in routers for route in router.routes]
    assert {(method, getattr(route, "path", "")) for route in routes for method in getattr(route, "methods", ())} == set(
        described.operations
    )
    check_form(described.document)


async def test_every_answer_is_as_documented(described: Described) -> None:
    """A program without a page can use each route with its cookie alone."""
    await described.ask("GET", "/health")
    await described.ask("POST", CHAT, SAY)
    stream = await described.ask("POST", STREAM, {"model": "chat-fast", "messages": [{"role": "user", "content": "20 1 1"}], "top_p": 0.5})
    turn = stream.headers["x-turn-id"]
    resumed = await described.ask("GET", EVENTS, headers={"Last-Event-ID": "0"}, turn_id=turn)
    assert resumed.text.startswith("retry: 500\n\nid: 1\n")
    await described.ask("GET", TIMING, turn_id=turn)
    await described.ask("POST", STOP, status=204, headers=JSON, turn_id=turn)
    await described.ask("POST", TIMING, HOP, status=204, turn_id=turn)
    timing = await described.ask("GET", TIMING, turn_id=turn)
    assert [hop["hop"] for hop in timing.json()["hops"]] == ["saas_api", "client_server", "browser"]
    assert {(method, path) for method, path, _ in described.answered} == set(described.operations)


async def test_the_timing_of_a_turn_that_runs(gateway: FakeGateway, visitor: Visitor) -> None:
    """It has no end, no receipt, and one hop."""
    turn = await visitor.say("hello")
    call = await gateway.call()
    await call.say("so far")
    described = await Described.of(visitor.http)
    timing = (await described.ask("GET", TIMING, turn_id=turn)).json()
    assert (timing["state"], timing["ended_us"], timing["receipt"], len(timing["hops"])) == ("streaming", None, None, 1)
    await call.finish()


async def test_frames_are_as_documented(described: Described) -> None:
    """The data of `receipt`, `hop` and `failed` frames match schemas of the document."""
    for group, expected in (("text", {"receipt", "hop"}), ("drop", {"receipt", "hop", "failed"})):
        text = (await described.ask("POST", STREAM, SAY | {"model_group": group})).text
        named = [frame.split("\n")[-2:] for frame in text.split("\n\n") if "event: " in frame]
        assert expected == {event.removeprefix("event: ") for event, _ in named}
        for event, line in named:
            schema = {"receipt": "Receipt", "hop": "Hop", "failed": "ErrorAnswer"}[event.removeprefix("event: ")]
            assert [] == described.named(schema, json.loads(line.removeprefix("data: ")))


async def test_errors_are_as_documented(described: Described) -> None:
    """Each failure that can be provoked has a status that its route lists, and a code listed for that status."""
    nobody = {"turn_id": "turn_x"}
    for path, body in ((CHAT, {"message": 5}), (STREAM, {"message": 5}), (TIMING, {"hop": "other"})):
        await described.ask("POST", path, b"{", status=400, headers=JSON, **nobody)
        await described.ask("POST", path, body, status=422, **nobody)
        await described.ask("POST", path, b"x" * 22_000_000, status=413, headers=JSON, **nobody)
    for method, path in described.operations:
        await described.ask(method, path, status=400, headers={"Host": "evil.example"}, **nobody)
        if method == "POST":
            await described.ask(method, path, b"{}", status=403, headers=JSON | {"Origin": "https://evil.example"}, **nobody)
        if path.startswith("/chat/"):
            sent = HOP if (method, path) == ("POST", TIMING) else None
            await described.ask(method, path, sent, status=404, headers=JSON, **nobody)
            await described.ask(method, path, sent, status=404, headers=JSON | {"Accept": "text/html"}, **nobody)
    await described.ask("GET", EVENTS, status=400, headers={"Last-Event-ID": "x"}, **nobody)
    for group, status in (("status-401", 502), ("status-429", 429), ("status-503", 503), ("hang", 504), ("nope", 404)):
        await described.ask("POST", CHAT, SAY | {"model_group": group}, status=status)
    await described.ask("POST", CHAT, SAY | {"top_p": 5}, status=422)  # the gateway refuses it


async def test_limits_are_as_documented(gateway: FakeGateway, tmp_path: Path) -> None:
    """One message too many, one stream too many, and a stream that is over answer as documented."""
    env = {"DATA_DIR": str(tmp_path / "data"), "SAAS_API_URL": gateway.url, "STREAM_RETENTION_S": "0"}
    limits = {"SESSION_TURNS_PER_MINUTE": "1", "SESSION_OPEN_STREAMS": "1"}
    with client_server(tmp_path / "client_server", env | limits) as middle:
        async with Visitor.at(middle.url) as visitor:
            described = await Described.of(visitor.http)
            turn = await visitor.say("hello")
            call = await gateway.call()
            for path in (CHAT, STREAM):
                await described.ask("POST", path, SAY, status=429)
            async with visitor.events(turn) as first:
                await described.ask("GET", EVENTS, status=429, turn_id=turn)
                await call.finish()
                await first.read_all()
            await visitor.until(turn, "finished")
            await described.ask("GET", EVENTS, status=410, turn_id=turn)


async def test_a_form_without_script_is_sent_back_to_its_page(visitor: Visitor, gateway: FakeGateway) -> None:
    """Stopping redirects such a form, and the document says so."""
    turn = await visitor.say("hello")
    await gateway.call()
    described = await Described.of(visitor.http)
    form = {"Origin": visitor.url, "X-CSRF-Token": visitor.token}
    response = await described.ask("POST", STOP, b"", status=303, headers=form, turn_id=turn)
    assert response.headers["location"].startswith("/c/conv_")


@pytest.mark.parametrize(("proto", "secure"), [("https", True), ("https, http", True), ("http", False), (None, False)])
async def test_the_cookie_is_secure_behind_tls(chain: Chain, proto: str | None, secure: bool) -> None:
    """A proxy that ends TLS says so in a header, and is always believed."""
    headers = {} if proto is None else {"X-Forwarded-Proto": proto}
    async with httpx.AsyncClient(base_url=chain.url) as client:
        cookie = (await client.get("/", headers=headers)).headers["set-cookie"]
    assert ("Secure" in cookie.split("; ")) is secure
