"""The page as the server renders it: conversations, answers, and hostile text."""

from __future__ import annotations

import html
import json
import re
import time

import pytest

from bench.script import expected_text
from tests.client_server.visitor import Visitor, content_of, turn_id
from tests.support.chain import Chain

PLANES = "".join(chr(plane << 16 | 0x41) for plane in range(17)) + "\ufffd é 東京 👩‍🚀 \u202e \u200b"
HOSTILE = "</template><script>alert(1)</script>\"'<img src=x onerror=alert(1)> {{ 7 * 7 }} &lt;b&gt; ]]> <!--"


async def test_a_new_conversation_has_an_address_and_a_title(guest: Visitor) -> None:
    """The first message opens a conversation. Its address is pushed, its title is the message's beginning, and it is in the sidebar."""
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
    """Markup in a message or an answer is shown and never run, and the page around it stays intact."""
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
    """A finished answer has its time to first token, total and cost beside it, from the hop and the receipt."""
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
    """The page offers the model groups that the gateway lets this team use."""
    async with Visitor.at(chain.url) as guest:
        page = await guest.open()
    assert ">chat-fast<" in page.replace("\n", "").replace(" ", "")
    assert "null-usage" in page


async def test_static_files_are_kept_under_their_version(guest: Visitor) -> None:
    """A browser may keep a versioned address forever, and must ask again for a bare one. The page uses versioned ones."""
    page = await guest.open()
    address = page.split('<link rel="stylesheet" href="')[1].split('"')[0]
    assert "?v=" in address
    assert "immutable" in (await guest.http.get(address)).headers["cache-control"]
    assert (await guest.http.get(address.split("?")[0])).headers["cache-control"] == "no-cache"


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/c/conv_unknown", 404),
        ("GET", "/chat/turns/turn_unknown", 404),
        ("POST", "/", 405),
        ("POST", "/chat/messages", 403),
    ],
)
async def test_an_address_that_fails_is_a_page_in_a_browser(guest: Visitor, method: str, path: str, status: int) -> None:
    """A browser gets the error's status with a page in the usual design, with the usual policy and a link to go on."""
    response = await guest.http.request(method, path, headers=BROWSER)
    assert response.status_code == status
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["vary"] == "Accept"
    text = re.sub(r"<[^>]+>", " ", response.text)
    assert "Start a new chat" in text
    assert f"Status {status}" in text
    assert response.headers["x-request-id"] in text
    assert '<script type="module"' not in response.text
    page = await guest.open()
    assert page.count('<link rel="stylesheet"') + 1 == response.text.count('<link rel="stylesheet"')


async def test_a_strangers_conversation_is_a_page_too(chain: Chain, guest: Visitor) -> None:
    """It is the same page as for a conversation that does not exist."""
    await guest.say("5 1 1")
    conversation = (await guest.open()).split('href="/c/')[1].split('"')[0]
    async with Visitor.at(chain.url) as stranger:
        pages = [await stranger.http.get(f"/c/{name}", headers=BROWSER) for name in (conversation, "conv_unknown")]
    first, second = (page.text.replace(page.headers["x-request-id"], "") for page in pages)
    assert [page.status_code for page in pages] == [404, 404]
    assert first == second


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/nowhere", {"Accept": "*/*"}),
        ("/nowhere", {"Accept": "application/json"}),
        ("/nowhere", {"Accept": "text/html;q=0.5, application/json"}),
        ("/nowhere", {"Accept": "text/html;q=nonsense"}),
        ("/nowhere", {"Accept": "text/event-stream"}),
        ("/nowhere", BROWSER | {"HX-Request": "true"}),
        ("/api/nowhere", BROWSER),
        ("/api/chat", BROWSER),
    ],
)
async def test_whoever_does_not_prefer_a_page_gets_json(guest: Visitor, path: str, headers: dict[str, str]) -> None:
    """Programs and the page's own scripts get errors as JSON. The API's routes always send them as JSON."""
    response = await guest.http.get(path, headers=headers)
    assert response.headers["content-type"] == "application/json"
    assert response.json()["error"]["message"]


async def test_a_stopped_answer_can_be_asked_for_again(guest: Visitor) -> None:
    """Its article says that it was stopped, and has the form that asks again. A finished answer has no such form."""
    for message, group, said in (
        ("500 20 0", "chat-fast", "What had arrived is kept."),
        ("20 5 5", "hang", "Stopped before anything had come."),
    ):
        turn = await guest.say(message, model_group=group)
        if group == "chat-fast":
            async with guest.events(turn) as stream:
                await stream.read_frames(10)
        await guest.post(f"/chat/turns/{turn}/stop")
        await guest.until(turn, "cancelled")
        article = (await guest.http.get(f"/chat/turns/{turn}")).text
        assert said in article
        assert f'action="/chat/turns/{turn}/regenerate"' in article
        assert "Ask again" in article
    finished = await guest.say("5 1 1")
    await guest.until(finished, "finished")
    assert "/regenerate" not in (await guest.http.get(f"/chat/turns/{finished}")).text


async def test_a_page_says_how_old_its_running_answer_is(guest: Visitor) -> None:
    """It has the answer's age at rendering, and the time to its first token once that has come. The page's clock goes on from there."""

    def marks(page: str) -> dict[str, float]:
        return {name: float(value) for name, value in re.findall(r'data-(age|first-token)-ms="([\d.]+)"', page)}

    began = time.monotonic()
    response = await guest.post("/chat/messages", data={"message": "200 20 1500", "stream": "on"})
    path, turn = response.headers["hx-push-url"], turn_id(response.text)
    early = marks(await guest.open(path))
    assert early.keys() == {"age"}
    async with guest.events(turn) as stream:
        await stream.read_frames(5)
        late = marks(await guest.open(path))
    assert 1500 <= late["first-token"] <= late["age"] <= (time.monotonic() - began) * 1000
    assert early["age"] < late["age"]
    await guest.post(f"/chat/turns/{turn}/stop")
    await guest.until(turn, "cancelled")
    assert marks(await guest.open(path)) == {}
