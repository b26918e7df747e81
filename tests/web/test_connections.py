"""A browser has only six connections per host: Stop always gets one, and a hidden tab keeps none."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import APIResponse, Page, Request, Route, expect

from tests.web.page_server import PageServer
from tests.web.person import TEXT, answer, content, send

pytestmark = pytest.mark.browser

SHOW = """(state) => {
  for (const [name, value] of [["visibilityState", state], ["hidden", state === "hidden"]]) {
    Object.defineProperty(document, name, { value, configurable: true });
  }
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def until(page: Page, condition: Callable[[], bool], timeout_s: float = 10.0) -> float:
    """Waits for the condition while the page runs, and returns how long it took, in seconds. Fails if it is not met in time."""
    began = time.perf_counter()
    while not condition():
        assert time.perf_counter() - began < timeout_s
        page.wait_for_timeout(20)
    return time.perf_counter() - began


def test_stop_gets_through_from_one_of_six_tabs(chat: Page, server: PageServer) -> None:
    """If answers' streams take every connection, Stop still arrives at once, and all tabs show the same end."""
    server.gap_s = 0.4
    send(chat, "go on")
    chat.wait_for_url("**/c/one")
    others = [chat.context.new_page() for _ in range(5)]
    for tab in others:
        tab.goto(server.url + "/c/one")
        tab.wait_for_selector("html[data-ready]")
    turn = server.turns[0]
    until(chat, lambda: turn.readers == 6)
    chat.get_by_role("button", name="Stop").click()
    assert until(chat, lambda: turn.state == "cancelled", 3.0) < 1.0
    texts = {answer(tab, "cancelled") for tab in (chat, *others)}
    assert len(texts) == 1
    assert TEXT.startswith(texts.pop())


def test_a_stopped_stream_goes_on_after_its_last_id(chat: Page, server: PageServer) -> None:
    """The stream is closed before the Stop request leaves and resumed once it is answered, and nothing is lost in between."""
    server.gap_s = 0.05
    readers: list[int] = []

    def let_through(route: Route) -> None:
        readers.append(server.turns[0].readers)
        route.continue_()

    def when_alone(route: Route) -> None:
        until(chat, lambda: not server.turns[0].readers, 2.0)
        let_through(route)

    chat.route("**/stop", when_alone)
    send(chat, "go on")
    expect(content(chat)).to_contain_text("w5")
    chat.get_by_role("button", name="Stop").click()
    text = answer(chat, "cancelled")
    assert readers == [0]
    assert text == server.turns[0].content.strip()
    assert server.turns[0].connections[0] == "query:-1"
    assert [place.startswith("query:") for place in server.turns[0].connections] == [True, True]
    assert int(server.turns[0].connections[1].removeprefix("query:")) >= 5
    expect(chat.get_by_role("button", name="Send")).to_be_visible()


def test_stop_without_a_connection_loses_nothing(chat: Page, server: PageServer) -> None:
    """If Stop is refused, or the server does not answer it, the answer continues on the screen."""
    held: list[Route] = []
    chat.route("**/stop", lambda route: held.append(route))
    server.gap_s = 0.15
    send(chat, "go on")
    expect(content(chat)).to_contain_text("w2")
    chat.get_by_role("button", name="Stop").click()
    until(chat, lambda: server.turns[0].readers == 0 and bool(held))
    until(chat, lambda: server.turns[0].readers == 1)  # the request hangs, so the stream no longer waits for it
    held[0].abort()
    expect(chat.get_by_role("alert")).to_contain_text("could not be reached")
    expect(chat.get_by_role("button", name="Stop", exact=True)).to_be_enabled()
    assert answer(chat) == TEXT


def test_stop_while_the_stream_is_being_looked_for(chat: Page, server: PageServer) -> None:
    """After a refused stream the page asks for the turn, and if the response comes after Stop it opens no second stream."""
    probes: list[tuple[Route, APIResponse]] = []
    chat.route("**/chat/turns/turn0", lambda route: route.continue_() if probes else probes.append((route, route.fetch())))
    chat.route("**/stop", lambda route: route.fulfill(status=500))
    server.gap_s = 0.1
    send(chat, "refuse it")
    until(chat, lambda: bool(probes))
    turn = server.turns[0]
    with chat.expect_response("**/stop"):
        chat.get_by_role("button", name="Stop").click()
    until(chat, lambda: len(turn.connections) == 3)
    route, found = probes[0]
    route.fulfill(response=found)
    assert answer(chat) == TEXT
    assert turn.connections == ["query:-1", "header:5", "query:5"]


def test_stop_before_the_first_token(chat: Page, server: PageServer) -> None:
    """If Stop comes before the first token, the page says that nothing came and offers to ask again."""
    server.first_s = 0.8
    send(chat, "go on")
    until(chat, lambda: bool(server.turns) and server.turns[0].readers == 1)
    chat.get_by_role("button", name="Stop").click()
    assert answer(chat, "cancelled") == ""
    expect(chat.locator("[data-role=error]")).to_contain_text("Stopped before anything had come.")
    assert server.turns[0].arrivals == []
    server.first_s = 0.1
    chat.get_by_role("button", name="Ask again").click()
    assert answer(chat) == "You wrote: Once more: go on"
    assert chat.locator("article").count() == 1


def test_a_hidden_tab_gives_its_stream_up_and_takes_it_up_again(chat: Page, server: PageServer) -> None:
    """A hidden tab stops reading after some seconds, goes on after the last id when visible again, and sends no incomplete record."""
    server.gap_s = 0.25
    records: list[Request] = []
    chat.on("request", lambda request: records.append(request) if request.url.endswith("/timing") else None)
    send(chat, "go on")
    expect(content(chat)).to_contain_text("w2")
    chat.evaluate(SHOW, "hidden")
    assert until(chat, lambda: server.turns[0].readers == 0) > 4
    chat.wait_for_timeout(300)
    chat.evaluate(SHOW, "visible")
    assert answer(chat) == TEXT
    first, second = server.turns[0].connections
    assert first == "query:-1"
    assert 2 <= int(second.removeprefix("query:")) < 39
    assert records == []


def test_a_glance_at_another_tab_costs_nothing(chat: Page, server: PageServer) -> None:
    """A tab that is hidden for one second keeps its stream."""
    server.gap_s = 0.1
    send(chat, "go on")
    expect(content(chat)).to_contain_text("w2")
    chat.evaluate(SHOW, "hidden")
    chat.wait_for_timeout(1000)
    chat.evaluate(SHOW, "visible")
    assert answer(chat) == TEXT
    assert server.turns[0].connections == ["query:-1"]
