"""The page with its scripts, over a stream that misbehaves: no text is repeated or lost, and typed text is kept."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.web.page_server import PageServer
from tests.web.person import TEXT, WORDS, answer, content, send

pytestmark = pytest.mark.browser


def test_an_answer_grows_and_ends_in_the_servers_rendering(chat: Page, server: PageServer) -> None:
    """The text comes in several steps, and at the end the stored answer with its figures replaces it."""
    chat.evaluate(
        """() => {
          window.lengths = new Set();
          new MutationObserver(() => lengths.add(document.querySelector("[data-role=content]")?.textContent.length))
            .observe(document.getElementById("turns"), { childList: true, subtree: true, characterData: true });
        }"""
    )
    send(chat, "go on")
    assert answer(chat) == TEXT
    assert chat.evaluate("lengths.size") > 10
    expect(chat.locator("[data-role=summary]")).to_contain_text("to first token")
    expect(chat.get_by_label("Message")).to_have_value("")
    assert chat.url == server.url + "/c/one"
    assert chat.locator("[data-role=conversations] [aria-current=page]").inner_text() == "The way of a chunk"


def test_a_cut_stream_goes_on_where_it_was(chat: Page, server: PageServer) -> None:
    """EventSource reconnects by itself with the last id, and the text is complete without repetition."""
    send(chat, "cut it")
    assert answer(chat) == TEXT
    assert server.turns[0].connections == ["query:-1", "header:5", "header:10"]


def test_a_refused_reconnection_is_made_anew_after_the_last_id(chat: Page, server: PageServer) -> None:
    """After a 503, EventSource gives up, and the page opens a new one with the last id in the address."""
    send(chat, "refuse it")
    assert answer(chat) == TEXT
    assert server.turns[0].connections[:3] == ["query:-1", "header:5", "query:5"]


def test_frames_that_were_seen_are_passed_over(chat: Page) -> None:
    """Repeated frames change nothing on the screen, even before the server's rendering comes."""
    chat.route("**/chat/turns/turn0", lambda route: route.abort())
    send(chat, "again and again")
    expect(content(chat)).to_contain_text("w39")
    expect(chat.locator("[data-role=content]")).to_have_text(TEXT)


def test_a_reload_in_mid_answer_ends_with_the_whole_text(chat: Page) -> None:
    """The text before a reload and the text after it form one complete answer."""
    send(chat, "go on")
    expect(content(chat)).to_contain_text("w9")
    chat.reload()
    assert answer(chat) == TEXT


def test_stop_keeps_what_came(chat: Page, server: PageServer) -> None:
    """While an answer streams, Stop is shown and Esc does the same; the text so far stays, and Send comes back."""
    expect(chat.get_by_role("button", name="Stop")).to_be_hidden()
    server.gap_s = 0.05
    for turn, by_key in enumerate((False, True)):
        send(chat, "go on")
        expect(chat.locator("article")).to_have_count(turn + 1)
        expect(content(chat)).to_contain_text("w5")
        if by_key:
            chat.keyboard.press("Escape")
        else:
            chat.get_by_role("button", name="Stop").click()
        text = answer(chat, "cancelled")
        assert TEXT.startswith(text)
        assert "w5" in text
        expect(chat.get_by_role("button", name="Send")).to_be_visible()


def test_a_failure_stands_below_what_came_and_can_be_tried_again(chat: Page, server: PageServer) -> None:
    """A failure shows the text before it, its message, and a button that asks again in the same place."""
    send(chat, "fail now")
    assert answer(chat, "failed") == "".join(WORDS[:6]).strip()
    expect(chat.locator("[data-role=error]")).to_contain_text("The model broke off in mid-answer.")
    chat.get_by_role("button", name="Try again").click()
    assert answer(chat) == "You wrote: Once more: fail now"
    assert chat.locator("article").count() == 1


def test_trying_again_at_once_is_not_overtaken_by_the_stored_answer(chat: Page) -> None:
    """If the retry button is pressed before the server's rendering of the failed answer comes, it still brings a new answer."""
    stored: list[Route] = []
    again: list[Route] = []
    chat.route("**/chat/turns/turn0", lambda route: stored.append(route))
    chat.route("**/regenerate", lambda route: again.append(route))
    with chat.expect_request("**/chat/turns/turn0"):
        send(chat, "fail now")
    answer(chat, "failed")
    with chat.expect_request("**/regenerate"):
        chat.get_by_role("button", name="Try again").click()
    with chat.expect_response("**/chat/turns/turn0"):
        stored[0].continue_()
    expect(chat.locator(".latency-live")).to_be_visible()  # the stored answer has not replaced this one
    again[0].continue_()
    assert answer(chat) == "You wrote: Once more: fail now"
    assert chat.locator("article").count() == 1


def test_a_failure_is_shown_even_if_the_server_is_gone(chat: Page) -> None:
    """The failed frame alone is enough to show the failure, and the clock stops at that moment."""
    chat.route("**/chat/turns/turn0", lambda route: route.abort())
    send(chat, "fail now")
    assert answer(chat, "failed") == "".join(WORDS[:6]).strip()
    expect(chat.locator("[data-role=error]")).to_contain_text("The model broke off in mid-answer.")
    expect(chat.locator(".latency-live")).to_contain_text("total")
    figures = chat.locator(".latency-live").inner_text()
    chat.wait_for_timeout(300)
    assert chat.locator(".latency-live").inner_text() == figures


def test_a_refused_message_is_not_lost(chat: Page, server: PageServer) -> None:
    """If a message is refused, the alert says why, the typed text stays, and trying again sends it."""
    server.refusals = 1
    send(chat, "go on <b>please</b>")
    expect(chat.get_by_role("alert")).to_contain_text("Too many messages at once.")
    expect(chat.get_by_label("Message")).to_have_value("go on <b>please</b>")
    chat.get_by_role("alert").get_by_role("button", name="Try again").click()
    assert answer(chat) == TEXT
    expect(chat.get_by_label("Message")).to_have_value("")
    expect(chat.locator(".prompt")).to_have_text("go on <b>please</b>")
    expect(chat.get_by_role("alert")).to_be_hidden()


def test_an_unreachable_server_is_said_so(chat: Page) -> None:
    """The page shows an error if the server cannot be reached."""
    chat.route("**/chat/messages", lambda route: route.abort())
    send(chat, "go on")
    expect(chat.get_by_role("alert")).to_contain_text("could not be reached")
    expect(chat.get_by_label("Message")).to_have_value("go on")


def test_the_browser_hands_in_its_own_record(chat: Page, server: PageServer) -> None:
    """The browser sends its marks in order, with one arrival and one dwell per chunk, and the waterfall shows its row."""
    with chat.expect_response(re.compile("/timing$")):
        send(chat, "go on")
    record = server.turns[0].browser
    assert record is not None
    assert record["hop"] == "browser"
    marks = [record[f"{name}_us"] for name in ("upstream_sent", "upstream_headers", "first_in", "first_out", "last_out")]
    assert marks == sorted(marks)
    assert record["frames"] == len(record["arrivals_us"]) == 40
    assert 0 <= record["dwell_us"]["p50"] <= record["dwell_us"]["p99"] <= record["dwell_us"]["max"]
    answer(chat)
    chat.locator("summary", has_text="waterfall").click()
    expect(chat.locator(".wf-row")).to_have_count(4)


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_the_browser_hands_in_what_it_saw_of_a_broken_off_answer(chat: Page, server: PageServer, state: str) -> None:
    """The browser sends its record after a failure or up to Stop, before it fetches the stored answer that shows its figures."""
    server.gap_s = 0.05
    with chat.expect_response(re.compile("/timing$")) as delivery:
        send(chat, "fail now" if state == "failed" else "go on")
        if state == "cancelled":
            expect(content(chat)).to_contain_text("w5")
            chat.get_by_role("button", name="Stop").click()
    record = server.turns[0].browser
    assert delivery.value.status == 204
    assert record is not None
    assert 6 <= record["frames"] == len(record["arrivals_us"]) <= server.turns[0].sent
    assert record["last_in_us"] <= record["last_out_us"]
    answer(chat, state)
    chat.locator("summary", has_text="waterfall").click()
    expect(chat.locator(".wf-row")).to_have_count(4)


def test_a_stop_that_failed_leaves_no_record(chat: Page, server: PageServer) -> None:
    """After a failed Stop the browser sends no record, because it closed the connection and did not see everything."""
    server.gap_s = 0.1
    chat.route("**/stop", lambda route: route.fulfill(status=503, body="{}"))
    send(chat, "go on")
    expect(content(chat)).to_contain_text("w5")
    chat.get_by_role("button", name="Stop").click()
    assert answer(chat) == TEXT
    expect(chat.locator("[data-role=summary]")).to_be_visible()
    assert server.turns[0].browser is None


def test_a_stream_that_was_cut_hands_in_no_record(chat: Page, server: PageServer) -> None:
    """After a cut the browser sends no record, because it would show the cut and not the hop."""
    send(chat, "cut it")
    answer(chat)
    chat.locator("summary", has_text="waterfall").click()
    expect(chat.locator(".wf-row")).to_have_count(3)
    assert server.turns[0].browser is None


def test_without_streaming_the_answer_comes_in_one_piece(chat: Page, server: PageServer) -> None:
    """With the switch off the answer comes in one piece, and the message carries the switch, the model and the temperature."""
    chat.get_by_label("Streaming").uncheck()
    chat.get_by_label("Model", exact=True).select_option("chat-quality")
    send(chat, "go on")
    assert answer(chat) == TEXT
    assert (server.turns[0].streaming, server.turns[0].model_group) == (False, "chat-quality")
    expect(chat.locator("[data-role=summary]")).to_contain_text("to the answer")
    expect(chat.locator("[data-role=summary]")).to_contain_text("in one piece")


def test_the_keys(chat: Page, server: PageServer) -> None:
    """Shift+Enter breaks the line, the slash key focuses the composer, and an example fills it without sending."""
    message = chat.get_by_label("Message")
    chat.locator("h1").click()
    chat.keyboard.press("/")
    expect(message).to_be_focused()
    chat.keyboard.type("one")
    chat.keyboard.press("Shift+Enter")
    chat.keyboard.type("two")
    expect(message).to_have_value("one\ntwo")
    chat.get_by_role("button", name="Count from 1 to 60").click()
    expect(message).to_have_value("Count from 1 to 60")
    assert server.turns == []


def test_the_text_is_followed_until_the_reader_scrolls_up(chat: Page, server: PageServer) -> None:
    """Once the reader scrolls up, the view stays there, and a button leads back."""
    server.answers["go"] = [f"Paragraph {index}.\n\n" for index in range(120)]
    bottom = "(() => { const s = document.getElementById('scroller'); return s.scrollHeight - s.clientHeight - s.scrollTop; })()"
    send(chat, "go on")
    expect(content(chat)).to_contain_text("Paragraph 40.")
    assert chat.evaluate(bottom) < 60
    chat.mouse.move(700, 300)
    chat.mouse.wheel(0, -400)
    jump = chat.get_by_role("button", name="Jump to latest")
    expect(jump).to_be_visible()
    answer(chat)
    assert chat.evaluate(bottom) > 300
    jump.click()
    assert chat.evaluate(bottom) < 60
    expect(jump).to_be_hidden()


def test_the_theme_is_remembered(chat: Page) -> None:
    """The chosen theme is applied before the first paint of the next page."""
    chat.get_by_role("button", name="Dark theme").click()
    chat.reload()
    expect(chat.locator("html")).to_have_attribute("data-theme", "dark")
    expect(chat.get_by_role("button", name="Dark theme")).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_nothing_sticks_out_at_any_width(chat: Page, width: int) -> None:
    """With an open waterfall, every control is inside the window at any width."""
    chat.set_viewport_size({"width": width, "height": 740})
    send(chat, "go on")
    answer(chat)
    chat.locator("summary", has_text="waterfall").click()
    expect(chat.locator(".wf-row")).to_have_count(4)
    outside = chat.evaluate(
        """() => [...document.querySelectorAll("header *, form *, .waterfall, .latency-line, .prompt-text")]
          .filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 0.5).map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert outside == []
    chat.evaluate("document.querySelector('.waterfall').scrollIntoView()")
    assert chat.evaluate("[document.scrollingElement.scrollTop, document.body.scrollTop]") == [0, 0]
    assert chat.evaluate("document.getElementById('composer').getBoundingClientRect().bottom <= innerHeight")


def test_the_page_is_useful_without_scripts(browser: Browser, server: PageServer) -> None:
    """Without scripts, the form posts, answers can be read, and the page reloads by itself while an answer streams."""
    server.add("go on")
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(server.url + "/c/one")
        assert page.locator("form#composer").get_attribute("action") == "/chat/messages"
        assert page.get_by_role("button", name="Stop").count() == 1
        assert page.locator("meta[http-equiv=refresh]").count() == 1
    finally:
        context.close()
