"""A conversation of thousands of turns: its page shows the last ones, and the model is shown no more than it can take."""

from __future__ import annotations

import asyncio
import re
import time

import pytest

from client_server.conversation import HISTORY_TURNS
from client_server.routes.page import TURNS_SHOWN
from client_server.store import RunningTurn, open_store
from tests.client_server.fake_gateway import FakeGateway
from tests.client_server.visitor import Visitor
from tests.support.server import Server

TURNS = 5_000
MAX_MESSAGES = 10_000
"""What the gateway takes."""


@pytest.fixture
async def conversation(middle: Server, visitor: Visitor) -> str:
    """A conversation of the visitor's with so many turns, each answered."""
    session = visitor.http.cookies["session"].rpartition(".")[0]
    now = time.time() - TURNS  # sessions of long ago are removed

    def turn(number: int) -> RunningTurn:
        return RunningTurn(
            id=f"turn_{number}",
            session_id=session,
            conversation_id="conv_long",
            position=number,
            state="finished",
            streaming=True,
            model_group="chat-fast",
            temperature=0.7,
            user_message=f"q{number}",
            content=f"a{number}",
            request=None,
            created_at=now + number,
        )

    async with open_store(middle.database_url) as store:
        await store.add_turn(turn(0), title="long")
        for start in range(1, TURNS, 500):
            await asyncio.gather(*(store.add_turn(turn(number)) for number in range(start, min(start + 500, TURNS))))
    return "conv_long"


def shown(page: str) -> list[int]:
    """The numbers of the turns that a page shows."""
    return [int(number) for number in re.findall(r'data-turn-id="turn_(\d+)"', page)]


async def test_the_page_shows_the_last_turns_and_leads_to_the_others(visitor: Visitor, conversation: str) -> None:
    """Page by page to the first turn, each of them once, and back to the last ones at once."""
    page = await visitor.open(f"/c/{conversation}")
    assert "Latest messages" not in page
    found: list[int] = []
    for _ in range(TURNS // TURNS_SHOWN):
        assert len(shown(page)) == TURNS_SHOWN
        found = shown(page) + found
        earlier = re.search(rf'href="(/c/{conversation}\?before=\d+)"', page)
        if earlier is None:
            break
        page = await visitor.open(earlier[1])
        assert f'href="/c/{conversation}">Latest messages' in page
    assert found == list(range(TURNS))


@pytest.mark.parametrize("before", ["-1", "1e400", "NaN", "", "9" * 20, "%00", "%ED%A0%80", "٣"])
async def test_a_place_that_is_none(visitor: Visitor, before: str) -> None:
    """It is refused in a sentence."""
    response = await visitor.http.get(f"/?before={before}")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")


async def test_the_model_is_shown_as_much_as_the_gateway_takes(gateway: FakeGateway, visitor: Visitor, conversation: str) -> None:
    """However short the turns are: the last ones, and then the message."""
    turn = await visitor.say("and now?", conversation=conversation)
    call = await gateway.call(0)
    messages = [message["content"] for message in call.body["messages"]]
    assert len(messages) == 2 * HISTORY_TURNS + 1 < MAX_MESSAGES
    assert messages[-3:] == [f"q{TURNS - 1}", f"a{TURNS - 1}", "and now?"]
    await call.finish()
    await visitor.until(turn, "finished")
    await visitor.post("/chat/turns/turn_700/regenerate")
    again = (await gateway.call(1)).body["messages"]
    assert (len(again), again[0]["content"], again[-1]["content"]) == (2 * HISTORY_TURNS + 1, "q200", "q700")
