"""The page as the server renders it: conversations, answers, and text that would like to be more than text."""

from __future__ import annotations

import html
import json

from bench.script import expected_text
from tests.client_server.visitor import Visitor, content_of, turn_id
from tests.support.chain import Chain

PLANES = "".join(chr(plane << 16 | 0x41) for plane in range(17)) + "\ufffd é 東京 👩‍🚀 \u202e \u200b"
HOSTILE = "</template><script>alert(1)</script>\"'<img src=x onerror=alert(1)> {{ 7 * 7 }} &lt;b&gt; ]]> <!--"


async def test_a_new_conversation_has_an_address_and_a_title(guest: Visitor) -> None:
    """The first message opens a conversation: its address is pushed, its title is the message's beginning, it is in the side bar."""
    response = await guest.post("/chat/messages", data={"message": "5 1 1\n" + "long " * 50, "stream": "on"})
    path = response.headers["hx-push-url"]
    announced = json.loads(response.headers["hx-trigger"])["conversation"]
    assert path == f"/c/{announced['id']}"
    assert announced["title"].startswith("5 1 1 long long")
    assert len(announced["title"]) <= 80
    await guest.until(turn_id(response.text), "finished")
    page = await guest.open(path)
    assert path in page
    assert expected_text(5).split()[0] in page
    second = await guest.post("/chat/messages", data={"message": "5 1 1", "conversation_id": announced["id"]})
    assert "hx-push-url" not in second.headers


async def test_the_page_works_without_script(guest: Visitor) -> None:
    """A plain form leads to the conversation's page, and so do stop and asking again."""
    plain = {"Origin": guest.url}
    token = {"csrf_token": guest.token}
    sent = await guest.http.post("/chat/messages", data=token | {"message": "5 1 1"}, headers=plain)
    assert sent.status_code == 303
    page = (await guest.http.get(sent.headers["location"])).text
    turn = turn_id(page)
    await guest.until(turn, "finished")
    for action in ("stop", "regenerate"):
        response = await guest.http.post(f"/chat/turns/{turn}/{action}", data=token, headers=plain)
        assert (response.status_code, response.headers["location"]) == (303, sent.headers["location"])


async def test_every_plane_of_unicode_comes_back(guest: Visitor) -> None:
    """A message with characters of all planes goes through both servers and the database unchanged."""
    turn = await guest.say(PLANES, model_group="echo")
    await guest.until(turn, "finished")
    assert content_of((await guest.http.get(f"/chat/turns/{turn}")).text) == PLANES


async def test_hostile_text_stays_text(guest: Visitor) -> None:
    """Markup in a message and in an answer is shown, never run, and the page around it stays whole."""
    response = await guest.post("/chat/messages", data={"message": HOSTILE, "stream": "on", "model_group": "echo"})
    turn = turn_id(response.text)
    await guest.until(turn, "finished")
    page = await guest.open("/c/" + json.loads(response.headers["hx-trigger"])["conversation"]["id"])
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "{{ 7 * 7 }}" in page.split("<article")[1]
    assert html.escape(HOSTILE, quote=False).split("&quot;")[0][:40] in page
    assert content_of(page) == HOSTILE


async def test_a_finished_answer_has_its_figures(guest: Visitor) -> None:
    """Beside a finished answer stand time to first token, total and cost, from the hop and the receipt."""
    turn = await guest.say("20 5 50")
    async with guest.events(turn) as stream:
        await stream.read_all()
    record = await guest.until(turn, "finished")
    own = record["hops"][1]
    assert own["hop"] == "client_server"
    assert own["frames"] == len(own["arrivals_us"]) >= 20
    assert own["upstream_sent_us"] < own["upstream_headers_us"] <= own["first_in_us"] <= own["first_out_us"] <= own["last_out_us"]
    assert record["receipt"]["usage"]["completion_tokens"] == 20


async def test_the_page_offers_the_gateways_model_groups(chain: Chain) -> None:
    """The choice of models is what the gateway says this team may use."""
    async with Visitor.at(chain.url) as guest:
        page = await guest.open()
    assert ">chat-fast<" in page.replace("\n", "").replace(" ", "")
    assert "null-usage" in page


async def test_static_files_are_kept_under_their_version(guest: Visitor) -> None:
    """A versioned address may be kept for ever, a bare one is asked for again; the page uses versioned ones."""
    page = await guest.open()
    address = page.split('<link rel="stylesheet" href="')[1].split('"')[0]
    assert "?v=" in address
    assert "immutable" in (await guest.http.get(address)).headers["cache-control"]
    assert (await guest.http.get(address.split("?")[0])).headers["cache-control"] == "no-cache"
