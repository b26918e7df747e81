"""Strangers, other sites and broken clients get the answer that the specification says, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.client_server.fake_gateway import FakeGateway
from tests.client_server.visitor import Visitor
from tests.support.chain import Chain
from tests.support.server import Server


def code_of(response: httpx.Response) -> tuple[int, str]:
    """Returns the status and the code. The envelope must be complete."""
    error = response.json()["error"]
    assert error.keys() == {"type", "code", "message", "retryable", "request_id"}
    assert error["request_id"] == response.headers["x-request-id"]
    return response.status_code, error["code"]


async def test_another_sessions_objects_are_not_found(chain: Chain, guest: Visitor) -> None:
    """Every route of a turn or a conversation answers a stranger as if it did not exist."""
    turn = await guest.say("5 1 1")
    conversation = (await guest.open()).split('href="/c/')[1].split('"')[0]
    async with Visitor.at(chain.url) as stranger:
        for path in (f"/c/{conversation}", f"/chat/turns/{turn}", f"/chat/turns/{turn}/events", f"/chat/turns/{turn}/timing"):
            assert code_of(await stranger.http.get(path)) == (404, "not_found"), path
        for path in (f"/chat/turns/{turn}/stop", f"/chat/turns/{turn}/regenerate"):
            assert code_of(await stranger.post(path)) == (404, "not_found"), path
        hop = {"hop": "browser", "received_at": 1.0}
        assert code_of(await stranger.post(f"/chat/turns/{turn}/timing", json=hop)) == (404, "not_found")
        form = {"message": "x", "conversation_id": conversation}
        assert code_of(await stranger.post("/chat/messages", data=form)) == (404, "not_found")
        assert conversation not in await stranger.open()
    await guest.until(turn, "finished")


async def test_a_change_must_come_from_our_own_page(guest: Visitor) -> None:
    """A form needs our origin and the session's token. JSON needs no token, but must not have a foreign origin."""
    form = {"message": "5 1 1"}
    ours, token = {"Origin": guest.url}, {"X-CSRF-Token": guest.token}
    for headers in (
        {},
        token,
        ours,
        ours | {"X-CSRF-Token": "0" * 64},
        token | {"Origin": "https://evil.example"},
        token | {"Origin": "null"},
        token | {"Origin": "https://evil.example", "X-Forwarded-Host": "evil.example"},
    ):
        assert code_of(await guest.http.post("/chat/messages", data=form, headers=headers)) == (403, "csrf"), headers
    response = await guest.http.post("/chat/messages", data=form | {"csrf_token": guest.token}, headers=ours)
    assert response.status_code == 303
    foreign = {"Origin": "https://evil.example"}
    assert code_of(await guest.http.post("/api/chat", json={"message": "5 1 1"}, headers=foreign)) == (403, "csrf")
    assert (await guest.http.post("/api/chat", json={"message": "5 1 1"})).status_code == 200
    assert (await guest.http.post("/api/chat", json={"message": "5 1 1"}, headers=ours)).status_code == 200
    plain = {"Content-Type": "text/plain"}
    assert code_of(await guest.http.post("/api/chat", content=b'{"message": "x"}', headers=plain)) == (403, "csrf")


async def test_a_token_belongs_to_its_session(chain: Chain, guest: Visitor) -> None:
    """The token of one session is refused in another."""
    async with Visitor.at(chain.url) as other:
        other.token = guest.token
        assert code_of(await other.post("/chat/messages", data={"message": "x"})) == (403, "csrf")


async def test_a_forged_cookie_is_no_session(chain: Chain, guest: Visitor) -> None:
    """A cookie that was not signed here is replaced by a new session's. Scripts cannot read our cookie."""
    name = guest.http.cookies["session"].split(".")[0]
    async with httpx.AsyncClient(base_url=chain.url) as http:
        response = await http.get("/", headers={"Cookie": f"session={name}.forged"})
    cookie = response.headers["set-cookie"]
    assert not cookie.startswith(f"session={name}.")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))


async def test_pages_carry_a_strict_policy(guest: Visitor) -> None:
    """Every page and fragment forbids foreign and inline scripts, framing, and type guessing."""
    turn = await guest.say("5 1 1")
    for path in ("/", f"/chat/turns/{turn}"):
        headers = (await guest.http.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b"{", 400, "JSON"),
        (b"\xff\xfe", 400, "JSON"),
        (b"[]", 422, "body: it must be a JSON object"),
        (b'{"message": "' + b"x" * 100_001 + b'"}', 422, "100000 characters"),
        (b'{"message": "x", "y": ' + b"[" * 300 + b"]" * 300 + b"}", 400, "levels"),
        (b'{"messages": [{"role": "user", "content": ' + b"[" * 300 + b"]" * 300 + b"}]}", 400, "levels"),
        (b"{}", 422, "message"),
        (b'{"message": ""}', 422, "message"),
        (b'{"message": " \\n "}', 422, "message"),
        (b'{"message": 5}', 422, "message"),
        (b'{"message": "x", "messages": [{"role": "user"}]}', 422, "message"),
        (b'{"messages": []}', 422, "messages"),
        (b'{"messages": [{"content": "x"}]}', 422, "messages.0.role"),
        (b'{"message": "x", "temperature": 9}', 422, "temperature"),
        (b'{"message": "x", "model_group": ""}', 422, "model_group"),
    ],
)
@pytest.mark.parametrize("path", ["/api/chat", "/api/chat/stream"])
async def test_a_wrong_body_is_named(chain: Chain, path: str, body: bytes, status: int, word: str) -> None:
    """Malformed JSON is 400, a wrong field 422, and the message says which one."""
    async with httpx.AsyncClient(base_url=chain.url) as http:
        response = await http.post(path, content=body, headers={"Content-Type": "application/json"})
    assert code_of(response) == (status, "invalid_request")
    assert word in response.json()["error"]["message"]


async def test_a_wrong_form_is_named(guest: Visitor) -> None:
    """A wrong field of the page's form is 422, and the message says which one."""
    for form, word in (({"message": ""}, "message"), ({}, "message"), ({"message": "x" * 100_001}, "message")):
        response = await guest.post("/chat/messages", data=form)
        assert code_of(response) == (422, "invalid_request")
        assert word in response.json()["error"]["message"]
    response = await guest.post("/chat/messages", data={"message": "x", "temperature": "hot"})
    assert "temperature" in response.json()["error"]["message"]


async def test_thirty_megabytes_are_too_large(guest: Visitor) -> None:
    """A body over the limit is 413, and the connection can still be used."""
    response = await guest.http.post("/api/chat", content=b" " * 30_000_000, headers={"Content-Type": "application/json"})
    assert code_of(response) == (413, "too_large")
    assert (await guest.http.get("/health")).status_code == 200


async def test_unknown_addresses_and_methods_have_the_envelope(guest: Visitor) -> None:
    """404 and 405 have the same envelope as every other error."""
    assert code_of(await guest.http.get("/nowhere")) == (404, "not_found")
    assert code_of(await guest.http.get("/static/../settings.py")) == (404, "not_found")
    assert code_of(await guest.http.put("/api/chat")) == (405, "method_not_allowed")
    assert code_of(await guest.http.get("/c/conv_unknown")) == (404, "not_found")
    assert code_of(await guest.post("/chat/turns/turn_unknown/stop")) == (404, "not_found")


async def test_a_last_event_id_must_be_a_number(guest: Visitor) -> None:
    """Anything but the number of a frame is 400."""
    turn = await guest.say("5 1 1")
    for value in ("x", "-1", "1.5", "9" * 30):
        response = await guest.http.get(f"/chat/turns/{turn}/events", headers={"Last-Event-ID": value})
        assert code_of(response) == (400, "invalid_request"), value


async def test_the_browsers_record_is_checked_and_kept(guest: Visitor) -> None:
    """What the page measured becomes the last hop. A malformed record is refused."""
    turn = await guest.say("5 1 1")
    await guest.until(turn, "finished")
    hop: dict[str, Any] = {"hop": "browser", "received_at": 1.5, "first_in_us": 900, "arrivals_us": [900, 1000], "frames": 2}
    assert (await guest.post(f"/chat/turns/{turn}/timing", json=hop)).status_code == 204
    hops = (await guest.timing(turn))["hops"]
    assert [record["hop"] for record in hops] == ["saas_api", "client_server", "browser"]
    assert hops[-1]["arrivals_us"] == [900, 1000]
    for wrong in ({"hop": "saas_api"}, {"first_in_us": -1}, {"arrivals_us": [0] * 2049}, {"received_at": "now"}):
        assert code_of(await guest.post(f"/chat/turns/{turn}/timing", json=hop | wrong)) == (422, "invalid_request"), wrong


class TestLimits:
    """The limits of one session."""

    @pytest.fixture
    def middle_env(self) -> dict[str, str]:
        return {"SESSION_TURNS_PER_MINUTE": "3", "SESSION_OPEN_STREAMS": "2"}

    async def test_turns_per_minute(self, gateway: FakeGateway, middle: Server, visitor: Visitor) -> None:
        """Over the limit, a session gets 429 with `Retry-After`. Another session is not affected."""
        answers = await asyncio.gather(*(visitor.post("/chat/messages", data={"message": "x", "stream": "on"}) for _ in range(4)))
        refused = [answer for answer in answers if answer.status_code == 429]
        assert len(refused) == 1
        assert code_of(refused[0]) == (429, "rate_limited")
        assert 1 <= int(refused[0].headers["retry-after"]) <= 61
        async with Visitor.at(middle.url) as other:
            assert (await other.post("/chat/messages", data={"message": "x", "stream": "on"})).status_code == 200

    async def test_open_streams(self, gateway: FakeGateway, visitor: Visitor) -> None:
        """A stream over the limit is refused. Once other streams have ended, it is accepted."""
        turn = await visitor.say("hello")
        call = await gateway.call()
        async with visitor.events(turn) as first, visitor.events(turn) as second, visitor.events(turn) as third:
            assert [first.status, second.status, third.status] == [200, 200, 429]
            await call.finish()
            await first.read_all()
            await second.read_all()
        async with visitor.events(turn) as fourth:
            assert fourth.status == 200
