"""How long streams live: with a conversation, without one, and after their end."""

from __future__ import annotations

import asyncio

import pytest

from tests.client_server.fake_gateway import FakeGateway
from tests.client_server.visitor import Visitor, content_of
from tests.support.server import Server
from tests.support.streams import open_stream


@pytest.fixture
def middle_env() -> dict[str, str]:
    """Settings with a short grace period and a short retention."""
    return {"RESUME_GRACE_S": "0.5", "STREAM_RETENTION_S": "0.5"}


async def test_a_stream_of_the_api_is_cancelled_when_nobody_comes_back(gateway: FakeGateway, middle: Server) -> None:
    """A generation without a conversation is cancelled upstream when it has had no reader for the grace period."""
    async with open_stream(f"{middle.url}/api/chat/stream", body={"message": "hello"}) as stream:
        assert stream.headers["x-turn-id"].startswith("turn_")
        call = await gateway.call()
        await call.say("a")
        await stream.read_frames(1)
        assert not call.cancelled
        stream.cut()
    await call.until(lambda: call.cancelled)


async def test_a_stream_of_the_api_can_be_resumed(gateway: FakeGateway, middle: Server) -> None:
    """The reader of an API stream can resume it on the events route, with the cookie from its response."""
    async with open_stream(f"{middle.url}/api/chat/stream", body={"message": "hello"}) as stream:
        call = await gateway.call()
        await call.say("a")
        await stream.read_frames(1)
        turn, cookie = stream.headers["x-turn-id"], stream.headers["set-cookie"].split(";")[0]
        async with open_stream(f"{middle.url}/chat/turns/{turn}/events", headers={"Cookie": cookie}, last_event_id=0) as again:
            stream.cut()
            await call.say("b")
            await call.finish()
            await again.read_all()
    assert [frame.id for frame in again.frames if frame.id is not None] == list(range(1, len(call.frames)))


async def test_an_answer_of_a_conversation_needs_no_reader(gateway: FakeGateway, visitor: Visitor) -> None:
    """A conversation's answer goes on without a reader, for longer than the grace period of other answers."""
    turn = await visitor.say("hello")
    call = await gateway.call()
    async with open_stream(f"{visitor.url}/api/chat/stream", body={"message": "unread"}) as stream:
        other = await gateway.call(1)
        stream.cut()
    await other.until(lambda: other.cancelled)  # by now both have had no reader for the grace period
    assert not call.cancelled
    await call.say("still here")
    await call.finish()
    await visitor.until(turn, "finished")


async def test_an_ended_stream_is_gone_after_its_retention(gateway: FakeGateway, visitor: Visitor) -> None:
    """After the retention the events route answers 410, and the stored answer can still be read."""
    turn = await visitor.say("hello")
    call = await gateway.call()
    await call.say("stored")
    await call.finish()
    async with asyncio.timeout(10):
        while (response := await visitor.http.get(f"/chat/turns/{turn}/events")).status_code == 200:
            pass
    assert response.status_code == 410
    assert response.json()["error"]["code"] == "stream_expired"
    assert content_of((await visitor.http.get(f"/chat/turns/{turn}")).text) == "stored"
