"""Where an opened waterfall is placed, with respect to the composer, the button back, and a text that still grows."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.web.page_server import PageServer
from tests.web.person import TEXT, answer, content, send

pytestmark = pytest.mark.browser

STILL = """() => new Promise((resolve) => {
  const scroller = document.getElementById("scroller");
  let top = -1, same = 0;
  const look = () => {
    same = scroller.scrollTop === top ? same + 1 : 0;
    top = scroller.scrollTop;
    if (same > 5) resolve(top);
    else requestAnimationFrame(look);
  };
  look();
})"""


def box(page: Page, selector: str) -> Any:
    """The position of an element in the window."""
    return page.locator(selector).evaluate("element => element.getBoundingClientRect().toJSON()")


def from_the_end(page: Page) -> float:
    """How many pixels of the conversation are below the visible part."""
    return float(page.evaluate("(s => s.scrollHeight - s.scrollTop - s.clientHeight)(document.getElementById('scroller'))"))


@pytest.mark.parametrize("which", ["first", "last"])
@pytest.mark.parametrize("size", [(390, 844), (1280, 800)])
def test_an_opened_waterfall_stands_above_the_composer(chat: Page, server: PageServer, size: tuple[int, int], which: str) -> None:
    """The whole picture is visible, also on a phone, and the button back to the latest text does not cover it."""
    chat.set_viewport_size({"width": size[0], "height": size[1]})
    for turn in range(3):
        send(chat, "go on")
        expect(chat.locator("article")).to_have_count(turn + 1)
        assert answer(chat) == TEXT
        expect(chat.locator("[data-role=summary]")).to_have_count(turn + 1)
    article = chat.locator("article").first if which == "first" else chat.locator("article").last
    article.locator("summary", has_text="waterfall").click()
    expect(chat.locator(".wf-row")).to_have_count(4)
    chat.evaluate(STILL)
    chart, foot, room = box(chat, ".waterfall-chart svg"), box(chat, ".foot"), box(chat, "#scroller")
    assert room["top"] <= chart["top"]
    assert chart["bottom"] <= room["bottom"] <= foot["top"] + 0.5
    button = chat.get_by_role("button", name="Jump to latest")
    assert button.is_hidden() or box(chat, ".jump")["top"] >= room["bottom"]


def test_a_text_that_is_followed_does_not_jump(chat: Page, server: PageServer) -> None:
    """A reader who returns to the end before the timings arrive stays at the end while the answer goes on."""
    chat.set_viewport_size({"width": 390, "height": 500})
    held: list[Route] = []
    chat.route("**/timing", lambda route: held.append(route) if route.request.method == "GET" else route.continue_())
    send(chat, "go on")
    assert answer(chat) == TEXT
    server.gap_s = 0.1
    send(chat, "go on")
    expect(content(chat)).to_contain_text("w3")
    with chat.expect_request("**/timing"):
        chat.locator("summary", has_text="waterfall").click()
    chat.evaluate("document.getElementById('scroller').scrollTop = 1e6")
    held[0].continue_()
    expect(chat.locator(".wf-row")).to_have_count(4)
    for word in ("w10", "w20"):
        expect(content(chat)).to_contain_text(word)
        assert from_the_end(chat) < 48


def test_a_reader_at_the_end_stays_there_if_text_comes_at_that_moment(chat: Page, server: PageServer) -> None:
    """The scroll event comes a frame later. Text that has come meanwhile does not count as text that was left unread."""
    chat.set_viewport_size({"width": 390, "height": 500})
    send(chat, "go on")
    assert answer(chat) == TEXT
    chat.evaluate("document.getElementById('scroller').scrollTop = 0")
    expect(chat.get_by_role("button", name="Jump to latest")).to_be_visible()
    chat.evaluate(
        """() => {
          document.getElementById("scroller").scrollTop = 1e6;
          const more = document.createElement("p");
          more.style.height = "400px";
          document.querySelector("article:last-of-type").append(more);
        }"""
    )
    chat.evaluate(STILL)
    assert from_the_end(chat) < 48
