"""A conversation: one answer at a time, and each request carries the history."""

from __future__ import annotations

import asyncio

from tests.client_server.fake_gateway import FakeGateway
from tests.client_server.visitor import Visitor, turn_id
from wire.errors import ErrorCode, WireError


async def test_one_answer_at_a_time(gateway: FakeGateway, visitor: Visitor) -> None:
    """A conversation takes no message while its last answer is being written, and takes one again after that."""
    turn = await visitor.say("first")
    conversation = await _conversation(visitor)
    call = await gateway.call()
    answers = await asyncio.gather(
        *(visitor.post("/chat/messages", data={"message": "x", "conversation_id": conversation}) for _ in range(3))
    )
    assert {answer.status_code for answer in answers} == {409}
    assert answers[0].json()["error"]["code"] == "job_state"
    assert (await visitor.post(f"/chat/turns/{turn}/regenerate")).status_code == 409
    await call.finish()
    await visitor.until(turn, "finished")
    both = await asyncio.gather(
        *(visitor.post("/chat/messages", data={"message": "x", "stream": "on", "conversation_id": conversation}) for _ in range(2))
    )
    assert sorted(answer.status_code for answer in both) == [200, 409]


async def test_the_model_is_shown_the_conversation_so_far(gateway: FakeGateway, visitor: Visitor) -> None:
    """Earlier messages and answers come before the new message. A failed answer is left out, and so is its question."""
    first = await visitor.say("one", temperature="0.2", model_group="chat-quality")
    call = await gateway.call(0)
    assert call.body["messages"] == [{"role": "user", "content": "one"}]
    assert (call.body["temperature"], call.body["model_group"]) == (0.2, "chat-quality")
    await call.say("eins")
    await call.finish()
    await visitor.until(first, "finished")
    conversation = await _conversation(visitor)
    second = await visitor.say("two", conversation=conversation)
    await (await gateway.call(1)).fail(WireError(ErrorCode.UPSTREAM_ERROR, "No."))
    await visitor.until(second, "failed")
    await visitor.say("three", conversation=conversation)
    assert [message["content"] for message in (await gateway.call(2)).body["messages"]] == ["one", "eins", "three"]


async def test_regenerate_takes_the_old_answers_place(gateway: FakeGateway, visitor: Visitor) -> None:
    """The new answer takes the old one's place. Its request has the same message and the same history."""
    old = await visitor.say("again")
    call = await gateway.call(0)
    await call.say("old answer")
    await call.finish()
    await visitor.until(old, "finished")
    fragment = (await visitor.post(f"/chat/turns/{old}/regenerate")).text
    second = await gateway.call(1)
    assert second.body["messages"] == [{"role": "user", "content": "again"}]
    await second.say("new answer")
    await second.finish()
    await visitor.until(turn_id(fragment), "finished")
    page = await visitor.open(f"/c/{await _conversation(visitor)}")
    assert "<article" in fragment
    assert "new answer" in page
    assert "old answer" not in page
    assert (await visitor.post(f"/chat/turns/{old}/regenerate")).status_code == 409


async def _conversation(visitor: Visitor) -> str:
    """The id of the latest conversation in the sidebar."""
    page = await visitor.open()
    return page.split('href="/c/')[1].split('"')[0]
