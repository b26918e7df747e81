"""Without streaming, the page gets the same frames, and the API gets one JSON object."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from bench.script import expected_text
from tests.client_server.fake_gateway import FakeGateway
from tests.client_server.visitor import Visitor, content_of
from tests.support.chain import Chain
from tests.support.served import until
from tests.support.server import Server
from tests.support.streams import content_of as text_of
from tests.support.streams import open_stream
from wire.errors import ErrorCode, WireError


async def test_a_whole_answer_stands_on_the_same_wire(gateway: FakeGateway, visitor: Visitor) -> None:
    """With streaming off, a reader gets one chunk with the whole text, the receipt, both hops and the end, numbered as usual."""
    turn = await visitor.say("hello", stream=False)
    call = await gateway.call()
    async with visitor.events(turn) as stream:
        await call.say("all ", "at once")
        await call.finish()
        await stream.read_all()
    chunk, receipt, gateways, own, done = stream.frames[1:]
    assert [frame.id for frame in stream.frames[1:]] == [0, 1, 2, None, None]
    assert text_of([chunk]) == "all at once"
    assert chunk.json()["choices"][0]["finish_reason"] == "stop"
    assert receipt.event == "receipt"
    assert receipt.json()["call_id"] == call.call_id
    assert [gateways.json()["hop"], own.json()["hop"], done.data] == ["saas_api", "client_server", "[DONE]"]
    record = await visitor.timing(turn)
    assert [hop["hop"] for hop in record["hops"]] == ["saas_api", "client_server"]
    assert record["hops"][1]["first_out_us"] is not None
    assert content_of((await visitor.http.get(f"/chat/turns/{turn}")).text) == "all at once"


async def test_stop_ends_a_whole_answer_upstream_too(gateway: FakeGateway, visitor: Visitor) -> None:
    """Stop closes the request to the gateway, which cancels the call. The turn ends as cancelled."""
    turn = await visitor.say("hello", stream=False)
    call = await gateway.call()
    await visitor.post(f"/chat/turns/{turn}/stop")
    await call.until(lambda: call.cancelled)
    await visitor.until(turn, "cancelled")
    async with visitor.events(turn) as stream:
        await stream.read_all()
        assert stream.frames[-1].data == "[DONE]"


@pytest.mark.parametrize("code", [ErrorCode.UPSTREAM_UNAVAILABLE, ErrorCode.RATE_LIMITED, ErrorCode.SHUTTING_DOWN])
async def test_a_call_that_may_run_is_asked_for_again(gateway: FakeGateway, visitor: Visitor, code: ErrorCode) -> None:
    """A kept connection is closed as a request is taken, and the request that is sent in its place is refused: the call's answer is had."""
    turn = await _asked_twice(gateway, visitor, WireError(code, "Not now."))
    gateway.refuse_calls_with = None
    call = await gateway.call(1)
    await call.say("once")
    await call.finish()
    async with visitor.events(turn) as stream:
        await stream.read_all()
    assert stream.frames[-1].data == "[DONE]"
    assert content_of((await visitor.http.get(f"/chat/turns/{turn}")).text) == "once"
    assert len(gateway.calls) == 2


async def test_a_refusal_that_lasts_is_told(gateway: FakeGateway, visitor: Visitor) -> None:
    """A request that is wrong was so the first time too: it is not sent again, and the reader hears why."""
    turn = await _asked_twice(gateway, visitor, WireError(ErrorCode.INVALID_REQUEST, "Too many tools."))
    async with visitor.events(turn) as stream:
        await stream.read_all()
    assert stream.frames[-1].json()["error"]["message"] == "Too many tools."
    assert gateway.refused == 1


async def _asked_twice(gateway: FakeGateway, visitor: Visitor, refusal: WireError) -> str:
    """The turn whose first request is taken on a kept connection that then closes, and whose second one is refused."""
    before = await visitor.say("hello", stream=False)
    first = await gateway.call()
    await first.finish()
    await visitor.until(before, "finished")
    gateway.swallow_next, gateway.refuse_after_swallowing = True, refusal
    turn = await visitor.say("hello", stream=False)
    await until(lambda: gateway.refused > 0)
    return turn


async def test_a_client_that_leaves_cancels_its_whole_answer(gateway: FakeGateway, middle: Server) -> None:
    """Nobody can come back for the answer of `POST /api/chat`, so the call is cancelled as soon as the client leaves."""

    async def ask() -> None:
        async with open_stream(f"{middle.url}/api/chat", body={"message": "hello"}):
            pass

    asking = asyncio.create_task(ask())
    call = await gateway.call()
    asking.cancel()
    await call.until(lambda: call.cancelled)


async def test_the_api_answers_with_everything(chain: Chain) -> None:
    """`POST /api/chat` returns text, usage, ids and the hops' times, and the times again as `Server-Timing`."""
    async with open_stream(f"{chain.url}/api/chat", body={"message": "12 1 1"}) as response:
        await response.read_all()
        answer = json.loads(bytes(response.raw))
    assert answer["content"] == expected_text(12)
    assert answer["usage"]["completion_tokens"] == 12
    assert answer["job_id"].startswith("job_")
    assert answer["call_id"].startswith("call_")
    assert [hop["hop"] for hop in answer["timing"]] == ["saas_api", "client_server"]
    assert response.headers["server-timing"].startswith("client_server;dur=")


async def test_the_api_passes_parameters_on(gateway: FakeGateway, middle: Server) -> None:
    """OpenAI's parameters, known or not, reach the gateway. A caller cannot set the fields that this server sets itself."""
    body = {
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "model_group": "chat-quality",
        "top_p": 0.5,
        "some_new_parameter": {"x": 1},
        "team_id": "team_stranger",
        "job_type": "theft",
        "stream": False,
    }
    async with open_stream(f"{middle.url}/api/chat/stream", body=body) as stream:
        call = await gateway.call()
        await call.finish()
        await stream.read_all()
    assert call.body["messages"] == body["messages"]
    assert call.body["model_group"] == "chat-quality"
    assert call.body["top_p"] == 0.5
    assert call.body["some_new_parameter"] == {"x": 1}
    assert call.body["team_id"] != "team_stranger"
    assert call.body["job_type"] == "chat"
    assert "stream" not in call.body


@pytest.mark.parametrize("path", ["/api/chat", "/api/chat/stream"])
async def test_a_parameter_may_have_any_name(gateway: FakeGateway, middle: Server, path: str) -> None:
    """A field with the same name as something in our own code is passed on like any other, or left out. It breaks nothing."""
    ours = {"idempotency_key": "theirs", "metadata": {"turn_id": "theirs"}, "user_id": "theirs"}
    theirs = {"self": 1, "turn": 2, "client": 3, "func": 4, "args": [5], "kwds": {"six": 6}, "params": 7}
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(_status(f"{middle.url}{path}", {"message": "hello"} | ours | theirs))
        call = await gateway.call()
        await call.say("fine")
        await call.finish()
    assert asking.result() == 200
    assert {name: call.body[name] for name in theirs} == theirs
    assert "idempotency_key" not in call.body
    assert call.body["metadata"]["turn_id"].startswith("turn_")


async def _status(url: str, body: dict[str, Any]) -> int:
    """Returns the status of the answer, once the whole answer has come."""
    async with open_stream(url, body=body) as response:
        await response.read_all()
        return response.status


async def test_the_api_fails_with_a_status(gateway: FakeGateway, middle: Server) -> None:
    """An error before a whole answer is an HTTP status with the envelope."""
    await gateway.stop()
    async with open_stream(f"{middle.url}/api/chat", body={"message": "hello"}) as response:
        await response.read_all()
    assert response.status == 503
    assert response.headers["retry-after"] == "2"
