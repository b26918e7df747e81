"""A person at the page, with the whole chain behind it: a real browser, real servers, and a scripted provider."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from bench.script import expected_text
from tests.support.chain import Chain

pytestmark = pytest.mark.browser

OpenPage = Callable[[str], Page]
CLOCK_STEP_NS = 100_000
"""`performance.now()` counts in steps of 0.1 ms, so it may be this much behind."""


def send(page: Page, message: str, *, group: str = "text") -> None:
    """Chooses the model group (the provider's behaviour), types the message, and presses Enter."""
    answers = page.locator("article").count()
    page.get_by_label("Model").select_option(group)
    page.get_by_label("Message").fill(message)
    page.keyboard.press("Enter")
    expect(page.locator("article")).to_have_count(answers + 1)


def ended(page: Page, state: str = "finished") -> str:
    """The last answer's text as the model wrote it, once the answer is in this state."""
    article = page.locator("article").last
    expect(article).to_have_attribute("data-state", state, timeout=30_000)
    expect(article.locator("[data-role=live]")).to_have_count(0)  # the stored answer has replaced the streamed one
    return str(article.locator("template[data-role=source]").evaluate("element => element.content.textContent"))


def shown(page: Page) -> str:
    """The visible text of the last answer, with white space folded."""
    return " ".join(page.locator("[data-role=content]").last.inner_text().split())


def watch_growth(page: Page) -> None:
    """Starts recording the lengths of the last answer's text."""
    page.evaluate(
        """() => {
          window.lengths = new Set();
          new MutationObserver(() => lengths.add([...document.querySelectorAll("[data-role=content]")].at(-1)?.textContent.length))
            .observe(document.body, { childList: true, subtree: true, characterData: true });
        }"""
    )


def timing(page: Page, hops: int = 3) -> dict[str, Any]:
    """The times of the last turn that the middle tier has stored, once it has those of `hops` hops. The browser's come last."""
    turn = page.locator("article").last.get_attribute("data-turn-id")
    record: dict[str, Any] = {}
    for _ in range(100):
        record = page.evaluate("turn => fetch(`/chat/turns/${turn}/timing`).then(response => response.json())", turn)
        if len(record["hops"]) == hops:
            break
        page.wait_for_timeout(50)
    return record


def test_the_text_grows_while_it_is_written(chain: Chain, open_page: OpenPage) -> None:
    """The answer grows in many steps and ends as the model wrote it, with its times beside it."""
    page = open_page(chain.url)
    watch_growth(page)
    send(page, "40 20 100")
    assert ended(page) == expected_text(40)
    assert page.evaluate("lengths.size") > 15
    expect(page.locator("[data-role=summary]")).to_contain_text("to first token")


def test_without_streaming_it_comes_at_once(chain: Chain, open_page: OpenPage) -> None:
    """With the switch off, nothing is shown until the whole answer is there."""
    page = open_page(chain.url)
    page.get_by_label("Streaming").uncheck(force=True)
    watch_growth(page)
    send(page, "40 10 0")
    assert ended(page) == expected_text(40)
    text = len(page.locator("[data-role=content]").last.inner_text())
    between = page.evaluate("text => [...lengths].filter(length => length > 0 && length < text / 2).length", text)
    assert between == 0


def clicked_ns(page: Page) -> int:
    """When the page saw the first click after `watch_clicks`, on the clock of `time.perf_counter_ns`. It may be too early, never too late.

    Both clocks are this machine's CLOCK_MONOTONIC with different zeros. If we read our clock and then the page's, the page's zero
    is not before our reading less the page's. Of many such lower bounds, the highest is the closest.
    """
    zero_ns = 0
    for _ in range(50):
        before = time.perf_counter_ns()
        reading_ms = page.evaluate("performance.now()")
        zero_ns = max(zero_ns, before - int(reading_ms * 1e6) - CLOCK_STEP_NS)
    return zero_ns + int(page.evaluate("clickedAt") * 1e6)


def watch_clicks(page: Page) -> None:
    """Starts recording when the page sees a click, before any other listener runs."""
    page.evaluate("addEventListener('click', () => (window.clickedAt ??= performance.now()), { capture: true })")


def stopped_within_ms(chain: Chain, page: Page) -> float:
    """Presses Stop and returns the milliseconds from the click in the page to the closing of the provider's socket."""
    before = chain.provider.stats()["cancelled"]
    watch_clicks(page)
    page.get_by_role("button", name="Stop", exact=True).click()
    stats = chain.provider.wait_for(lambda stats: stats["cancelled"] > before, 5.0)
    return float((stats["cancelled_ns"] - clicked_ns(page)) / 1e6)


@pytest.mark.timing
def test_stop_keeps_what_came_and_stops_the_model(chain: Chain, open_page: OpenPage) -> None:
    """Within 200 ms of Stop the provider's socket is closed, and the text so far stays with its receipt."""
    page = open_page(chain.url)
    send(page, "500 20 0")
    expect(page.locator("[data-role=content]").last).to_contain_text("Every chunk")
    page.wait_for_timeout(300)
    assert stopped_within_ms(chain, page) < 200
    text = ended(page, "cancelled")
    assert expected_text(500).startswith(text)
    assert len(text) > 20
    record = timing(page)
    assert record["receipt"]["status"] == "cancelled"
    assert [hop["hop"] for hop in record["hops"]] == ["saas_api", "client_server", "browser"]


@pytest.mark.timing
def test_stop_from_one_of_six_tabs(chain: Chain, open_page: OpenPage) -> None:
    """Stop is as quick if the answer takes all six connections of the browser, and every tab shows the same end."""
    page = open_page(chain.url)
    send(page, "500 20 0")
    page.wait_for_url("**/c/*")
    tabs = [page, *(page.context.new_page() for _ in range(5))]
    for tab in tabs:
        if tab is not page:
            tab.goto(page.url)
        expect(tab.locator("[data-role=content]").last).to_contain_text("Every chunk")
    assert stopped_within_ms(chain, page) < 200
    texts = {ended(tab, "cancelled") for tab in tabs}
    assert len(texts) == 1
    assert expected_text(500).startswith(texts.pop())


def test_stop_before_the_first_token(chain: Chain, open_page: OpenPage) -> None:
    """A silent model can be stopped, with and without streaming."""
    page = open_page(chain.url)
    for streaming in (True, False):
        page.get_by_label("Streaming").set_checked(streaming, force=True)
        send(page, "20 5 5", group="hang")
        chain.provider.wait_for(lambda stats: stats["open"] > 0)
        page.get_by_role("button", name="Stop", exact=True).click()
        chain.provider.wait_for(lambda stats: stats["open"] == 0, 1.0)
        assert ended(page, "cancelled") == ""
        expect(page.locator("[data-role=error]").last).to_contain_text("Stopped before anything had come.")
        if streaming:
            summary = page.locator("[data-role=summary]")
            expect(summary).to_contain_text("waited, no token came")
            expect(summary.locator(".strip-wait")).to_have_attribute("width", "100.00")
            summary.locator("summary").click()
            expect(summary.locator("[data-role=waterfall]")).to_contain_text("No chunk arrived")


def test_a_reload_in_mid_answer(chain: Chain, open_page: OpenPage) -> None:
    """Two reloads lose nothing: the page comes back in mid-answer and ends with the whole text."""
    page = open_page(chain.url)
    send(page, "100 20 0")
    for _ in range(2):
        expect(page.locator("[data-role=content]").last).to_contain_text("Every chunk")
        page.wait_for_timeout(300)
        page.reload()
    assert ended(page) == expected_text(100)


def test_a_closed_tab_does_not_stop_the_answer(chain: Chain, open_page: OpenPage) -> None:
    """After the tab was closed, the whole answer is in the conversation when the person comes back."""
    page = open_page(chain.url)
    send(page, "60 20 0")
    expect(page.locator("[data-role=content]").last).to_contain_text("Every chunk")
    page.wait_for_url("**/c/*")
    address = page.url
    page.goto("about:blank")
    page.wait_for_timeout(1500)
    page.goto(address)
    assert ended(page) == expected_text(60)


@pytest.mark.timeout(400)
def test_a_killed_middle_tier_goes_on(make_chain: Callable[..., Chain], open_page: OpenPage) -> None:
    """After kill -9 in mid-answer and a restart, the untouched page ends with the exact text, twenty times in a row."""
    chain = make_chain()
    page = open_page(chain.url)
    for _ in range(20):
        send(page, "80 25 0")
        expect(page.locator("[data-role=content]").last).to_contain_text("Every chunk")
        page.wait_for_timeout(400)
        chain.client_server.kill()
        chain.client_server.start()
        assert ended(page) == expected_text(80)
    assert chain.provider.stats()["requests"] == 20


def test_the_waterfall_adds_up(chain: Chain, open_page: OpenPage) -> None:
    """One click opens the waterfall, and each hop's wait contains the next hop's."""
    page = open_page(chain.url)
    send(page, "30 20 150")
    ended(page)
    hops = {hop["hop"]: hop for hop in timing(page)["hops"]}
    waits = [hops[name]["first_in_us"] - hops[name]["upstream_sent_us"] for name in ("browser", "client_server", "saas_api")]
    inner = [hops[name]["first_out_us"] for name in ("client_server", "saas_api")]
    assert waits[0] >= inner[0] >= waits[1] >= inner[1] >= waits[2] >= 150_000
    page.locator("[data-role=summary] summary").last.click()
    picture = page.locator("[data-role=waterfall] svg")
    expect(picture).to_be_visible()
    for name in ("browser", "client_server", "saas_api", "model"):
        expect(picture).to_contain_text(name)


def figure(page: Page, name: str) -> float:
    """A time in the last answer's latency line, in milliseconds."""
    found = re.search(rf"([\d.]+) (ms|s) {name}", page.locator("[data-role=summary] .figures").last.inner_text())
    assert found is not None
    return float(found[1]) * (1000 if found[2] == "s" else 1)


def test_a_silence_before_the_failure_is_in_the_figures(chain: Chain, open_page: OpenPage) -> None:
    """The total runs to the failure, and the waterfall shows the silence and the line's first-token time, also after a reload."""
    page = open_page(chain.url)
    send(page, "20 5 5", group="stall")
    ended(page, "failed")
    record = timing(page)
    own, browser = record["hops"][1:]
    silence = record["ended_us"] - own["last_in_us"]
    assert [own["hop"], browser["hop"], silence > 1_400_000] == ["client_server", "browser", True]
    for _ in range(2):
        assert figure(page, "total") >= (browser["last_in_us"] + silence) / 1000 - 50
        assert abs(figure(page, "to first token") - browser["first_out_us"] / 1000) <= 1
        page.locator("[data-role=summary] summary").last.click()
        told = page.locator(".waterfall-sum")
        expect(told).to_contain_text(f"on the screen after {browser['first_out_us'] / 1000:.1f} ms")
        expect(told).to_contain_text("of silence, until the answer failed.")
        expect(page.locator(".wf-silence rect")).to_have_count(1)
        page.reload()


@pytest.mark.parametrize(
    ("group", "chunks"), [("status-500", 0), ("status-429", 0), ("hang", 0), ("stall", 10), ("drop", 10), ("bad-json", 10)]
)
def test_an_error_says_so_and_can_be_tried_again(chain: Chain, open_page: OpenPage, group: str, chunks: int) -> None:
    """The text so far stays beside the error, trying again asks again, and the next message works."""
    page = open_page(chain.url)
    send(page, "20 5 5", group=group)
    assert ended(page, "failed") == expected_text(chunks)
    failure = page.locator("article").last.locator("[data-role=error]")
    expect(failure).to_be_visible()
    before = chain.provider.stats()["requests"]
    page.get_by_role("button", name="Try again").click()
    chain.provider.wait_for(lambda stats: stats["requests"] > before)
    ended(page, "failed")
    send(page, "20 5 5")
    assert ended(page) == expected_text(20)


def test_hostile_text_stays_text(chain: Chain, open_page: OpenPage) -> None:
    """HTML and scripts that the model echoes do not run and do not break the page, live or after a reload."""
    page = open_page(chain.url)
    hostile = (
        "<script>window.pwned = 1</script><img src=x onerror='window.pwned = 2'> [click](javascript:window.pwned=3) "
        "![i](https://example.org/x.png) <svg onload=window.pwned=4> </div></article> &lt;b&gt; "
        "```js\nwindow.pwned = 5\n``` \u202e \U0001f469\u200d\U0001f680 " + "".join(chr(plane * 0x10000 + 0x41) for plane in range(1, 15))
    )
    send(page, hostile, group="echo")
    assert ended(page) == hostile
    for _ in range(2):
        assert page.evaluate("window.pwned") is None
        assert page.locator("article img, article script, article svg[onload]").count() == 0
        assert page.locator("article a[href^=javascript]").count() == 0
        assert page.locator("section.prompt").inner_text().startswith("<script>")
        page.reload()
    send(page, "5 5 5")
    assert ended(page) == expected_text(5)


def test_without_javascript(chain: Chain, browser: Any) -> None:
    """Without JavaScript, the form posts, and the page shows the answer once it is there."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(chain.url)
    page.get_by_label("Message").fill("10 5 5")
    page.get_by_role("button", name="Send").click()
    page.wait_for_url("**/c/*")
    expect(page.locator("article")).to_have_attribute("data-state", "finished", timeout=15_000)
    assert shown(page) == " ".join(expected_text(10).replace("*", "").split())
    context.close()
