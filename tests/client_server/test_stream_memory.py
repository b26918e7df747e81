"""What the middle tier holds of streams is bounded for each session, and one session's answers do not keep others from chatting."""

from __future__ import annotations

from collections.abc import Callable

from tests.client_server.visitor import Visitor
from tests.support.chain import Chain

MIB = 1024 * 1024


async def test_the_oldest_ended_turn_makes_room(make_chain: Callable[..., Chain]) -> None:
    """Its events are gone and say so, its answer is in its conversation, and another session's turn can still be read."""
    chain = make_chain(env={"STREAM_MEMORY_BYTES_PER_SESSION": str(9 * MIB)})
    async with Visitor.at(chain.url) as guest, Visitor.at(chain.url) as other:
        theirs = await other.say("20 1 1")
        await other.until(theirs, "finished")
        turns = []
        for _ in range(3):
            turns.append(await guest.say("x", model_group="big-frame"))
            await guest.until(turns[-1], "finished")
        async with guest.events(turns[0]) as gone, guest.events(turns[2]) as latest, other.events(theirs) as small:
            assert gone.status == 410
            assert b"stream_expired" in await gone.read_all()
            assert len(await latest.read_all()) > 2 * MIB
            assert (await small.read_all()).endswith(b"data: [DONE]\n\n")
        answer = await guest.http.get(f"/chat/turns/{turns[0]}")
        assert len(answer.text) > 2 * MIB


async def test_a_session_that_fills_its_part_waits(make_chain: Callable[..., Chain]) -> None:
    """Its next message is refused with 429, while somebody else's gets its answer."""
    chain = make_chain(env={"STREAM_MEMORY_BYTES_PER_SESSION": str(MIB)})
    async with Visitor.at(chain.url) as guest, Visitor.at(chain.url) as other:
        long = await guest.say("20000 0.2 0")
        refused = None
        for _ in range(400):
            refused = await guest.post("/api/chat", json={"message": "1 1 1", "model_group": "text"})
            if refused.status_code == 429:
                break
        assert refused is not None
        assert refused.json()["error"]["code"] == "rate_limited"
        assert (await other.post("/api/chat", json={"message": "3 1 1", "model_group": "text"})).status_code == 200
        record = await guest.until(long, "failed")
        assert record["state"] == "failed"
        assert (await guest.post("/api/chat", json={"message": "3 1 1", "model_group": "text"})).status_code == 200
