"""The parts around an answer: its clock, its figures, the retry, and the settings of a new chat."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.web.page_server import PageServer
from tests.web.person import TEXT, answer, content, send

pytestmark = pytest.mark.browser


def so_far_s(page: Page) -> float:
    """The seconds shown in the live line."""
    found = re.search(r"([\d.]+) (ms|s) so far", page.locator(".latency-live").inner_text())
    assert found is not None
    return float(found[1]) / (1000 if found[2] == "ms" else 1)


def own_times(page: Page, hop: str, time_in_it: str) -> dict[str, str]:
    """The own time shown for each hop."""
    found = page.locator(hop).all()
    texts = {str(box.get_attribute("data-hop")): box.locator(time_in_it).text_content() or "" for box in found}
    return {name: text.split(" · ")[0] for name, text in texts.items()}


def test_the_clock_goes_on_after_a_reload(chat: Page, server: PageServer) -> None:
    """After a reload, the time since the message was sent and the wait for the first token are the same as before."""
    server.first_s, server.gap_s = 0.4, 0.15
    send(chat, "go on")
    expect(content(chat)).to_contain_text("w12")
    first = chat.locator(".latency-live .figure").first.inner_text()
    assert first.endswith("to first token")
    chat.reload()
    expect(chat.locator(".latency-live")).to_contain_text("so far")
    turn = server.turns[0]
    shown, true = so_far_s(chat), time.perf_counter() - turn.began
    assert 0 <= true - shown < 0.5
    wait = re.fullmatch(r"(\d+) ms to first token", chat.locator(".latency-live .figure").first.inner_text())
    assert wait is not None
    assert abs(int(wait[1]) - turn.arrivals[0] / 1000) <= 1
    assert answer(chat) == TEXT


def test_the_clock_goes_on_after_a_reload_before_the_first_token(chat: Page, server: PageServer) -> None:
    """After a reload before the first token, the wait goes on growing from its previous value."""
    server.first_s = 2.5
    send(chat, "go on")
    expect(chat.locator(".latency-live")).to_contain_text(re.compile(r"1\.\d\d s waiting"))
    chat.reload()
    expect(chat.locator(".latency-live")).to_contain_text("waiting")
    shown = chat.locator(".latency-live .figure").first.inner_text()
    assert float(shown.split()[0]) > 1, shown
    assert answer(chat) == TEXT


SLOW_PAINTING = """(() => {
  const request = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (callback) => setTimeout(() => request(callback), 300);
})()"""


@pytest.mark.parametrize("slow", [True, False])
@pytest.mark.parametrize("streaming", [True, False])
def test_the_head_and_the_waterfall_show_the_same_figures(chat: Page, server: PageServer, streaming: bool, slow: bool) -> None:
    """The head and the waterfall show the same added time for each hop, even if the stored answer comes before the last paint."""
    if slow:
        chat.evaluate(SLOW_PAINTING)
    chat.get_by_label("Streaming").set_checked(streaming)
    with chat.expect_response(re.compile("/timing$")):
        send(chat, "go on")
    answer(chat)
    chat.locator("summary", has_text="waterfall").click()
    expect(chat.locator(".wf-row")).to_have_count(4)
    head, rows = own_times(chat, ".chain .hop", "[data-role=own-time]"), own_times(chat, ".wf-row", ".wf-own")
    assert head == rows
    assert re.fullmatch(r"\+\d+\.\d+ ms", head["browser"])
    told = chat.locator(".waterfall-sum").inner_text()
    for name, time_shown in head.items():
        if name != "model" and not time_shown.startswith("+0."):
            assert f"{time_shown[1:]} {name}" in told
    record = server.turns[0].browser
    assert record is not None
    painted = record["upstream_sent_us"] + record["first_out_us"] - record["first_in_us"]
    assert abs(float(head["browser"][1:-3]) - painted / 1000) <= 0.11


@pytest.mark.parametrize("state", ["cancelled", "interrupted"])
def test_an_answer_that_was_broken_off_can_be_asked_for_again(chat: Page, server: PageServer, state: str) -> None:
    """A cancelled or interrupted answer can be asked for again, and the new answer replaces it."""
    turn = server.add("go on")
    turn.sent = 5
    turn.arrivals = [1000 * index for index in range(5)]
    turn.end(state, {"code": "interrupted", "message": "The server died.", "retryable": False} if state == "interrupted" else None)
    chat.goto(server.url + "/c/one")
    chat.get_by_role("button", name="Ask again" if state == "cancelled" else "Try again").click()
    assert answer(chat) == "You wrote: Once more: go on"
    assert chat.locator("article").count() == 1


def test_a_new_chat_keeps_what_was_chosen(chat: Page, server: PageServer) -> None:
    """The model, temperature and streaming switch keep the last choice: in a new chat, after a reload, and after a visit elsewhere."""

    def controls() -> tuple[str, str, bool]:
        form = chat.locator("#composer")
        return (
            form.get_by_label("Model").input_value(),
            form.get_by_label("Temperature").input_value(),
            form.get_by_label("Streaming").is_checked(),
        )

    assert controls() == ("chat-fast", "0.7", True)
    chat.get_by_label("Model", exact=True).select_option("chat-quality")
    chat.get_by_label("Temperature").fill("1.3")
    chat.get_by_label("Streaming").uncheck()
    chosen = ("chat-quality", "1.3", False)
    chat.reload()
    assert controls() == chosen
    expect(chat.locator("[data-role=temperature]")).to_have_text("1.3")
    send(chat, "go on")
    answer(chat)
    chat.reload()
    assert controls() == chosen
    chat.get_by_role("link", name="New chat").first.click()
    chat.wait_for_url(server.url + "/")
    chat.wait_for_selector("html[data-ready]")
    assert controls() == chosen
    chat.get_by_label("Temperature").fill("0.2")
    chat.goto(server.url + "/c/one")
    chat.wait_for_selector("html[data-ready]")
    assert controls() == ("chat-fast", "0.7", True)  # an older conversation shows the values of its own last message


def test_a_choice_that_is_not_offered_any_more_changes_nothing(chat: Page) -> None:
    """The form stays usable, whatever the storage holds."""
    for kept in ('{"model": "gone", "temperature": 9, "stream": "x"}', "nonsense", "null", "[]"):
        chat.evaluate("kept => localStorage.setItem('choice', kept)", kept)
        chat.reload()
        expect(chat.locator("html")).to_have_attribute("data-ready", "true")
        assert chat.get_by_label("Model", exact=True).input_value() == "chat-fast"
        assert chat.get_by_label("Temperature").input_value() == "0.7"
        assert chat.get_by_label("Streaming").is_checked()


@pytest.mark.parametrize("touch", [True, False])
def test_keys_are_named_where_there_is_a_keyboard(browser: Browser, server: PageServer, touch: bool) -> None:
    """Hints about keys are shown with a mouse but not on a touch screen."""
    size = ViewportSize(width=390, height=844) if touch else ViewportSize(width=1280, height=800)
    context = browser.new_context(viewport=size, has_touch=touch, is_mobile=touch)
    try:
        page = context.new_page()
        page.goto(server.url)
        page.wait_for_selector("html[data-ready]")
        if touch:
            page.get_by_role("button", name="Conversations").click()
        expect(page.locator(".brand")).to_be_visible()
        expect(page.locator(".keys")).to_be_visible(visible=not touch)
    finally:
        context.close()
