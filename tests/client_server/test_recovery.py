"""After the middle tier has died, its next process finds the turns and goes on with them."""

from __future__ import annotations

import asyncio
import random
import signal

from bench.script import expected_text
from client_server.store import open_store
from tests.client_server.fake_gateway import Call, FakeGateway
from tests.client_server.visitor import Visitor, content_of, whole
from tests.support.chain import Chain
from tests.support.server import Server
from tests.support.streams import content_of as text_of
from wire.errors import ErrorCode, WireError


async def test_a_killed_middle_tier_goes_on_to_the_same_bytes(gateway: FakeGateway, middle: Server, visitor: Visitor) -> None:
    """After kill -9 in mid-answer, a reader that comes back gets every frame it has missed, and a new reader gets all frames."""
    turn = await visitor.say("hello")
    call = await gateway.call()
    async with visitor.events(turn) as stream:
        await call.say("one ", "two ", "three ")
        await stream.read_frames(4)
        await asyncio.to_thread(middle.kill)
        await stream.read_all()
        assert not stream.complete
    await call.say("four ")
    await asyncio.to_thread(middle.start)
    await call.say("five")
    await call.finish()
    async with visitor.events(turn, last_event_id=2) as again, visitor.events(turn) as anew:
        assert (await whole(again))[:-2] == call.frames[3:]
        assert (await whole(anew))[:-2] == call.frames
    await visitor.until(turn, "finished")
    assert content_of((await visitor.http.get(f"/chat/turns/{turn}")).text) == "one two three four five"
    assert len(gateway.calls) == 1


async def test_a_turn_killed_before_its_first_checkpoint_is_not_asked_twice(gateway: FakeGateway, middle: Server, visitor: Visitor) -> None:
    """If the call's ids were never saved, the same request with the same key leads back to the running call."""
    turn = await visitor.say("hello")
    call = await gateway.call()
    await asyncio.to_thread(middle.kill)
    await call.say("once")
    await asyncio.to_thread(middle.start)
    await call.finish()
    async with visitor.events(turn) as stream:
        assert (await whole(stream))[:-2] == call.frames
    assert len(gateway.calls) == 1


async def test_a_restart_by_hand_goes_on_too(gateway: FakeGateway, middle: Server, visitor: Visitor) -> None:
    """SIGTERM cuts readers within two seconds, without an end. The next process sends them the rest."""
    turn = await visitor.say("hello")
    call = await gateway.call()
    async with visitor.events(turn) as stream:
        await call.say("one ")
        await stream.read_frames(2)
        async with asyncio.timeout(4):
            stopping = asyncio.create_task(asyncio.to_thread(middle.terminate))
            await stream.read_all()
            assert await stopping in (0, -signal.SIGTERM)
        assert not stream.complete
        assert not any(frame.is_terminal for frame in stream.frames)
    await asyncio.to_thread(middle.start)
    await call.say("two")
    await call.finish()
    async with visitor.events(turn, last_event_id=0) as stream:
        assert (await whole(stream))[:-2] == call.frames[1:]


async def test_the_gateway_may_come_back_later(gateway: FakeGateway, middle: Server, visitor: Visitor) -> None:
    """A middle tier that starts before its gateway keeps its turns until the gateway is there."""
    turn = await visitor.say("hello")
    call = await gateway.call()
    await call.say("one ")
    await asyncio.to_thread(middle.kill)
    await gateway.stop()
    await asyncio.to_thread(middle.start)
    async with visitor.events(turn) as stream:
        await stream.read_frames(1)
        await gateway.start()
        await call.finish()
        assert (await whole(stream))[:-2] == call.frames


async def test_a_checkpoint_survives_when_the_stream_does_not(gateway: FakeGateway, middle: Server, visitor: Visitor) -> None:
    """If the gateway has neither the stream nor a record, the turn is interrupted and keeps the text of its last checkpoint."""
    turn, call = await _leave_behind(gateway, middle, visitor, "kept")
    call.expired = True
    await asyncio.to_thread(middle.start)
    await visitor.until(turn, "interrupted")
    assert content_of((await visitor.http.get(f"/chat/turns/{turn}")).text) == "kept"


async def test_an_answer_whose_stream_has_expired_comes_from_the_record(gateway: FakeGateway, middle: Server, visitor: Visitor) -> None:
    """An answer is complete even if it finished, and its stream expired, while the middle tier was away."""
    turn, call = await _leave_behind(gateway, middle, visitor, "kept ")
    await call.say("and finished")
    await call.finish()
    call.expired = True
    await asyncio.to_thread(middle.start)
    async with visitor.events(turn) as stream:
        chunk, receipt, own, done = await whole(stream)
    assert (chunk[:6], receipt[:6], done) == (b"id: 0\n", b"id: 1\n", b"data: [DONE]\n\n")
    assert text_of(stream.frames) == "kept and finished"
    assert b'"resumed":true' in own
    record = await visitor.until(turn, "finished")
    assert (record["receipt"]["call_id"], record["receipt"]["cost_usd"]) == (call.call_id, "0.000002")
    assert content_of((await visitor.http.get(f"/chat/turns/{turn}")).text) == "kept and finished"


async def test_an_expired_failure_is_told_as_the_record_says(gateway: FakeGateway, middle: Server, visitor: Visitor) -> None:
    """If the call failed meanwhile, the turn has failed too, with the gateway's error and the text so far."""
    turn, call = await _leave_behind(gateway, middle, visitor, "half")
    await call.fail(WireError(ErrorCode.UPSTREAM_TRUNCATED, "The provider broke off."))
    call.expired = True
    await asyncio.to_thread(middle.start)
    await visitor.until(turn, "failed")
    page = (await visitor.http.get(f"/chat/turns/{turn}")).text
    assert content_of(page) == "half"
    assert "The provider broke off." in page


async def test_an_answer_without_streaming_is_interrupted(gateway: FakeGateway, middle: Server, visitor: Visitor) -> None:
    """A turn without streaming cannot be resumed: it ends as interrupted, and can be asked again."""
    turn = await visitor.say("hello", stream=False)
    await gateway.call()
    await asyncio.to_thread(middle.kill)
    await asyncio.to_thread(middle.start)
    await visitor.until(turn, "interrupted")
    assert (await visitor.post(f"/chat/turns/{turn}/regenerate")).status_code == 200


async def test_random_kills_of_a_real_chain_lose_nothing(own_chain: Chain) -> None:
    """With the real gateway, a middle tier that is killed at random moments still delivers the answer to the provider's last byte."""
    dice = random.Random(11)
    async with Visitor.at(own_chain.url) as guest:
        turn = await guest.say("600 30 20")
        frames, last = [], None
        for _ in range(3):
            async with guest.events(turn, last) as stream:
                await stream.read_frames(dice.randrange(5, 30))
                await asyncio.to_thread(own_chain.client_server.kill)
                await stream.read_all()
                frames += [frame for frame in stream.frames if frame.id is not None]
                last = frames[-1].id if frames else None
            await asyncio.to_thread(own_chain.client_server.start)
        async with guest.events(turn, last) as stream:
            await stream.read_all()
            assert stream.frames[-1].data == "[DONE]"
            frames += [frame for frame in stream.frames if frame.id is not None]
        assert [frame.id for frame in frames] == list(range(len(frames)))
        assert text_of(frames) == expected_text(600)
        await guest.until(turn, "finished")
        assert content_of((await guest.http.get(f"/chat/turns/{turn}")).text) == expected_text(600)


async def test_both_tiers_killed_take_back_no_text(own_chain: Chain) -> None:
    """With gateway and middle tier killed within a third of a second, in either order, the stored text is all that the reader had."""
    dice = random.Random(5)
    for _ in range(4):
        async with Visitor.at(own_chain.url) as guest:
            turn = await guest.say("600 30 20")
            async with guest.events(turn) as stream:
                await stream.read_frames(dice.randrange(20, 120))
                both = [own_chain.client_server, own_chain.saas_api]
                dice.shuffle(both)
                await asyncio.to_thread(both[0].kill)
                await asyncio.sleep(dice.uniform(0, 0.3))
                await asyncio.to_thread(both[1].kill)
                await stream.read_all()
                had = text_of([frame for frame in stream.frames if frame.id is not None])
            for server in both:
                await asyncio.to_thread(server.start)
            await guest.until(turn, "interrupted")
            stored = content_of((await guest.http.get(f"/chat/turns/{turn}")).text)
            assert had
            assert stored.startswith(had)
            assert expected_text(600).startswith(stored)


async def _leave_behind(gateway: FakeGateway, middle: Server, visitor: Visitor, text: str) -> tuple[str, Call]:
    """Starts a turn with this text, and kills the middle tier after it has saved a checkpoint of the text."""
    turn = await visitor.say("hello")
    call = await gateway.call()
    await call.say(text)
    async with asyncio.timeout(20), open_store(middle.database_url) as store:
        while not any(row.content for row in await store.streaming_turns() if row.id == turn):  # noqa: ASYNC110  # another process's rows
            await asyncio.sleep(0.05)
    await asyncio.to_thread(middle.kill)
    return turn, call
