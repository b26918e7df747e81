"""A turn's life: it follows the gateway's stream through every cut, and belongs to the server, not to its reader."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.client_server.fake_gateway import FakeGateway
from tests.client_server.visitor import Visitor, content_of, whole
from tests.support.server import Server
from tests.support.streams import content_of as text_of
from wire.errors import ErrorCode, WireError

WORDS = [f"wörd{number} " for number in range(40)]


async def test_frames_of_the_gateway_pass_untouched(gateway: FakeGateway, visitor: Visitor) -> None:
    """A reader gets the gateway's frames byte for byte, then the middle tier's hop without an id, then the terminal frame."""
    turn = await visitor.say("hello")
    call = await gateway.call()
    await call.say(*WORDS)
    await call.finish()
    async with visitor.events(turn) as stream:
        frames = await whole(stream)
        assert stream.complete
        assert bytes(stream.raw).startswith(b"retry: 500\n\n")
    assert frames[:-2] == call.frames
    assert frames[-2].startswith(b'event: hop\ndata: {"hop":"client_server"')
    assert frames[-1] == b"data: [DONE]\n\n"


async def test_each_chunk_leaves_at_once(gateway: FakeGateway, visitor: Visitor) -> None:
    """A reader has every chunk before the gateway has written the next one."""
    turn = await visitor.say("hello")
    call = await gateway.call()
    async with visitor.events(turn) as stream:
        await stream.read_frames(1)
        for number, word in enumerate(WORDS, start=1):
            await call.say(word)
            frames = await stream.read_frames(number + 1)
            assert frames[-1].id == number - 1


async def test_streams_say_that_nothing_may_buffer_them(gateway: FakeGateway, visitor: Visitor) -> None:
    """An event stream has the headers that keep proxies from buffering it."""
    turn = await visitor.say("hello")
    await gateway.call()
    async with visitor.events(turn) as stream:
        assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.headers["cache-control"] == "no-cache, no-transform"
        assert stream.headers["x-accel-buffering"] == "no"


async def test_a_cut_gateway_connection_is_resumed_without_loss(gateway: FakeGateway, visitor: Visitor) -> None:
    """After each of many cuts the turn goes on after its last frame: nothing is lost and nothing comes twice."""
    turn = await visitor.say("hello")
    call = await gateway.call()
    dice = random.Random(7)
    async with visitor.events(turn) as stream:
        for number, word in enumerate(WORDS):
            await call.say(word)
            if dice.random() < 0.25:
                await stream.read_frames(number + 2)
                await call.cut()
                await call.until(lambda: call.readers)
        await call.finish()
        assert (await whole(stream))[:-2] == call.frames
    assert len(gateway.calls) == 1
    assert len(call.resumed_after) >= 5
    assert None not in call.resumed_after


async def test_a_restarted_gateway_is_found_again(gateway: FakeGateway, visitor: Visitor) -> None:
    """A turn survives a restart of its gateway."""
    turn = await visitor.say("hello")
    call = await gateway.call()
    await call.say("before ")
    await gateway.stop()
    await gateway.start()
    await call.say("after")
    await call.finish()
    async with visitor.events(turn) as stream:
        assert (await whole(stream))[:-2] == call.frames


async def test_a_cut_before_the_call_is_known_repeats_the_same_request(gateway: FakeGateway, visitor: Visitor, middle: Server) -> None:
    """If the answer to a request is lost, the request is sent again with the same key, so the gateway makes only one call."""
    gateway.swallow_next = True
    turn = await visitor.say("hello")
    call = await gateway.call()
    await call.say("once")
    await call.finish()
    async with visitor.events(turn) as stream:
        assert (await whole(stream))[:-2] == call.frames
    assert gateway.asked == 2
    assert len(gateway.calls) == 1


async def test_a_call_that_may_run_is_worth_another_try(gateway: FakeGateway, visitor: Visitor) -> None:
    """A gateway that is starting may refuse the repeated request for a moment. That does not end the turn."""
    gateway.swallow_next = True
    gateway.refuse_after_swallowing = WireError(ErrorCode.UPSTREAM_UNAVAILABLE, "Starting.")
    turn = await visitor.say("hello")
    async with asyncio.timeout(20):
        while not gateway.refused:  # noqa: ASYNC110  # the gateway has no event for what it refuses
            await asyncio.sleep(0.02)
    gateway.refuse_calls_with = None
    call = await gateway.call()
    await call.say("once")
    await call.finish()
    async with visitor.events(turn) as stream:
        assert (await whole(stream))[:-2] == call.frames
    assert len(gateway.calls) == 1


async def test_a_closed_reader_does_not_stop_the_answer(gateway: FakeGateway, visitor: Visitor) -> None:
    """If its tab is closed, an answer is still completed in its conversation."""
    turn = await visitor.say("hello")
    call = await gateway.call()
    async with visitor.events(turn) as stream:
        await call.say("seen ")
        await stream.read_frames(2)
        stream.cut()
    await call.say("unseen")
    await call.finish()
    await visitor.until(turn, "finished")
    page = await visitor.http.get(f"/chat/turns/{turn}")
    assert content_of(page.text) == "seen unseen"


async def test_a_reader_resumes_at_any_frame(gateway: FakeGateway, visitor: Visitor) -> None:
    """`Last-Event-ID`, as a header or in the address, brings the frames after it, and always the end."""
    turn = await visitor.say("hello")
    call = await gateway.call()
    await call.say(*WORDS)
    await call.finish()
    await visitor.until(turn, "finished")
    for last in (0, 17, len(call.frames) - 1, 10_000):
        async with visitor.events(turn, last) as stream:
            frames = await whole(stream)
        assert frames[:-2] == call.frames[last + 1 :]
        assert frames[-1] == b"data: [DONE]\n\n"
    response = await visitor.http.get(f"/chat/turns/{turn}/events?last_event_id=17")
    assert response.text.startswith("retry: 500\n\nid: 18\n")


async def test_stop_reaches_the_gateway_and_keeps_what_came(gateway: FakeGateway, visitor: Visitor) -> None:
    """Stop cancels the call. The turn is cancelled with the text so far, its stream ends in order, and it may be stopped again."""
    turn = await visitor.say("hello")
    call = await gateway.call()
    await call.say("so far")
    async with visitor.events(turn) as stream:
        assert (await visitor.post(f"/chat/turns/{turn}/stop")).status_code == 204
        assert call.cancelled
        assert (await whole(stream))[-1] == b"data: [DONE]\n\n"
    assert (await visitor.until(turn, "cancelled"))["receipt"]["status"] == "cancelled"
    assert (await visitor.post(f"/chat/turns/{turn}/stop")).status_code == 204
    page = await visitor.http.get(f"/chat/turns/{turn}")
    assert content_of(page.text) == "so far"


async def test_stop_works_before_the_first_token(gateway: FakeGateway, visitor: Visitor) -> None:
    """A call can be stopped before its first token."""
    turn = await visitor.say("hello")
    call = await gateway.call()
    await visitor.post(f"/chat/turns/{turn}/stop")
    await visitor.until(turn, "cancelled")
    assert call.cancelled


async def test_stop_ends_the_turn_although_the_gateway_is_gone(gateway: FakeGateway, visitor: Visitor) -> None:
    """If the gateway cannot be told to stop, the turn ends here as cancelled, with the text so far."""
    turn = await visitor.say("hello")
    call = await gateway.call()
    await call.say("so far")
    async with visitor.events(turn) as stream:
        await stream.read_frames(2)
        await gateway.stop()
        await visitor.post(f"/chat/turns/{turn}/stop")
        assert (await whole(stream))[-1] == b"data: [DONE]\n\n"
    await visitor.until(turn, "cancelled")


async def test_a_failure_keeps_what_came(gateway: FakeGateway, visitor: Visitor) -> None:
    """A `failed` frame is passed on as it is, and the turn keeps the text before it and the error."""
    turn = await visitor.say("hello")
    call = await gateway.call()
    await call.say("half an ans")
    await call.fail(WireError(ErrorCode.UPSTREAM_TRUNCATED, "The provider broke off.", hop="saas_api"))
    async with visitor.events(turn) as stream:
        frames = await whole(stream)
    assert frames[-1] == call.terminal
    await visitor.until(turn, "failed")
    page = (await visitor.http.get(f"/chat/turns/{turn}")).text
    assert content_of(page) == "half an ans"
    assert "The provider broke off." in page


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (WireError(ErrorCode.INTERRUPTED, "The server that ran this call died."), "interrupted"),
        (WireError(ErrorCode.SHUTTING_DOWN, "The server is shutting down."), "failed"),
    ],
)
async def test_the_state_follows_the_failure(gateway: FakeGateway, visitor: Visitor, error: WireError, state: str) -> None:
    """If the call's server died, the turn is interrupted. After any other failure it has failed."""
    turn = await visitor.say("hello")
    await (await gateway.call()).fail(error)
    await visitor.until(turn, state)


async def test_a_call_that_cannot_be_resumed_any_more_is_interrupted(gateway: FakeGateway, visitor: Visitor) -> None:
    """If the gateway has dropped the stream, the reader gets what came and is told that the rest is not available."""
    turn = await visitor.say("hello")
    call = await gateway.call()
    async with visitor.events(turn) as stream:
        await call.say("half")
        await stream.read_frames(2)
        call.expired = True
        await call.cut()
        frames = await whole(stream)
    assert b'"code":"interrupted"' in frames[-1]
    await visitor.until(turn, "interrupted")


async def test_a_turn_waits_for_a_gateway_that_is_not_there(gateway: FakeGateway, visitor: Visitor) -> None:
    """A message that comes while the gateway restarts is answered a moment later, and meanwhile the turn says what it waits for."""
    await gateway.stop()
    turn = await visitor.say("hello")
    whole_answer = asyncio.create_task(visitor.post("/api/chat", json={"message": "hello"}))
    async with asyncio.timeout(5):
        while (await visitor.timing(turn))["waiting_for"] is None:  # noqa: ASYNC110  # the state is another process's
            await asyncio.sleep(0.02)
    assert (await visitor.timing(turn))["waiting_for"] == "saas_api"
    await gateway.start()
    async with visitor.events(turn) as stream:
        for number in range(2):
            call = await gateway.call(number)
            await call.say("hi")
            await call.finish()
        await stream.read_all()
    assert stream.frames[-1].data == "[DONE]"
    assert (await whole_answer).status_code == 200
    assert (await visitor.timing(turn))["waiting_for"] is None


async def test_stopping_a_turn_that_waits_works_at_once(gateway: FakeGateway, visitor: Visitor) -> None:
    """There is nothing to stop at the gateway: the turn ends as cancelled, and the gateway is not asked when it comes back."""
    await gateway.stop()
    turn = await visitor.say("hello")
    await asyncio.sleep(0.3)
    async with asyncio.timeout(1):
        assert (await visitor.post(f"/chat/turns/{turn}/stop")).status_code == 204
        await visitor.until(turn, "cancelled")
    await gateway.start()
    await asyncio.sleep(0.5)
    assert gateway.asked == 0


@pytest.mark.parametrize("middle_env", [{"GATEWAY_WAIT_S": "0.2"}])
async def test_without_a_gateway_the_reader_hears_of_it(gateway: FakeGateway, visitor: Visitor) -> None:
    """After the wait a turn that could not begin ends with `upstream_unavailable`, and says that it may be tried again."""
    await gateway.stop()
    turn = await visitor.say("hello")
    async with visitor.events(turn) as stream:
        await stream.read_all()
    error = stream.frames[-1].json()["error"]
    assert (error["code"], error["retryable"], error["hop"]) == ("upstream_unavailable", True, "client_server")
    await gateway.start()
    again = await visitor.post(f"/chat/turns/{turn}/regenerate")
    assert again.status_code == 200
    await gateway.call()


async def test_a_call_that_is_turned_away_fails_with_the_gateways_word(gateway: FakeGateway, visitor: Visitor) -> None:
    """The gateway's refusal reaches the reader, unless it concerns our own key."""
    for code, shown in ((ErrorCode.INSUFFICIENT_CREDITS, "insufficient_credits"), (ErrorCode.INVALID_KEY, "upstream_error")):
        gateway.refuse_calls_with = WireError(code, "No.")
        turn = await visitor.say("hello")
        async with visitor.events(turn) as stream:
            await stream.read_all()
        assert stream.frames[-1].json()["error"]["code"] == shown


async def test_a_gap_in_the_ids_is_not_passed_on(gateway: FakeGateway, visitor: Visitor) -> None:
    """A frame that skips an id is refused: the turn asks again for everything after its last frame."""
    turn = await visitor.say("hello")
    call = await gateway.call()
    async with visitor.events(turn) as stream:
        await call.say("a")
        await stream.read_frames(2)
        call.skip_for_current_readers = True
        await call.say("b", "c")
        await call.finish()
        assert (await whole(stream))[:-2] == call.frames
    assert text_of(stream.frames) == "abc"
