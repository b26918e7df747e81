"""A person at the page behind a real nginx that shows it under a path prefix, in both of the usual ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from bench.nginx import executable
from bench.script import expected_text
from tests.support import nginx
from tests.support.chain import Chain

pytestmark = pytest.mark.browser

ROOT = "/chat"
"""Routes of the middle tier begin with this name too."""


@pytest.fixture(scope="module", autouse=True)
def _nginx() -> None:
    """All of these tests need it; what is missing says how to get it."""
    if executable() is None:
        pytest.skip(nginx.MISSING)


@pytest.fixture(scope="module")
def prefixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """A chain of which every server has the prefix; the middle tier also asks the gateway under it."""
    chain = Chain(tmp_path_factory.mktemp("chain"), env={"ROOT_PATH": ROOT})
    chain.client_server.env["SAAS_API_URL"] = chain.saas_api.url + ROOT
    with chain:
        yield chain


@pytest.fixture(params=[True, False], ids=["removed", "passed on"])
def url(request: pytest.FixtureRequest, prefixed: Chain, tmp_path: Path) -> Iterator[str]:
    """The address of the page."""
    with nginx.in_front_of(prefixed.url, tmp_path / "nginx", ROOT, removed=request.param) as origin:
        yield f"{origin}{ROOT}/"


def text_of(page: Page, state: str) -> str:
    """The stored text of the last answer, once it has ended in this state."""
    article = page.locator("article").last
    expect(article).to_have_attribute("data-state", state, timeout=30_000)
    expect(article.locator("[data-role=live]")).to_have_count(0)
    return str(article.locator("template[data-role=source]").evaluate("element => element.content.textContent"))


def send(page: Page, message: str) -> None:
    """Types the message and presses Enter."""
    page.get_by_label("Message").fill(message)
    page.keyboard.press("Enter")
    expect(page.locator("[data-role=content]").last).to_contain_text("Every chunk")


def test_everything_happens_below_the_prefix(prefixed: Chain, url: str, open_page: Callable[[str], Page]) -> None:
    """Sending, streaming, a reload in mid-answer, stopping, the waterfall, an error, the side bar: no request leaves the prefix."""
    page = open_page(url)
    asked: list[str] = []
    refused: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("response", lambda response: refused.append(response.url) if response.status >= 400 else None)
    page.reload()
    send(page, "60 20 0")
    page.wait_for_url(f"{url}c/*")
    shown = len(page.locator("[data-role=content]").last.inner_text())
    assert shown < len(expected_text(60)) / 2  # nginx does not hold the stream back
    page.reload()
    assert text_of(page, "finished") == expected_text(60)
    page.locator("[data-role=summary] summary").last.click()
    expect(page.locator("[data-role=waterfall] svg")).to_be_visible()
    send(page, "500 20 0")
    page.get_by_role("button", name="Stop", exact=True).click()
    assert expected_text(500).startswith(text_of(page, "cancelled"))
    again = page.locator("article").count()
    page.get_by_role("button", name="Ask again").click()
    expect(page.locator("article").last).to_have_attribute("data-state", "streaming")
    page.get_by_role("button", name="Stop", exact=True).click()
    text_of(page, "cancelled")
    assert page.locator("article").count() == again
    page.get_by_role("link", name="New chat").first.click()
    page.wait_for_url(url)
    page.locator("[data-role=conversations] a").first.click()
    page.wait_for_url(f"{url}c/*")
    kinds = {urlsplit(address).path.removeprefix(ROOT).split("/")[1] for address in asked}
    assert kinds == {"", "c", "chat", "static"}
    assert [address for address in asked if not address.startswith(url)] == []
    assert refused == []


def test_without_javascript(url: str, browser: Browser) -> None:
    """The form posts below the prefix, and leads to the conversation there."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url)
    page.get_by_label("Message").fill("10 5 5")
    page.get_by_role("button", name="Send").click()
    page.wait_for_url(f"{url}c/*")
    expect(page.locator("article")).to_have_attribute("data-state", "finished", timeout=15_000)
    assert [address for address in asked if not address.startswith(url)] == []
    context.close()


@pytest.mark.parametrize("server", ["client_server", "saas_api"])
def test_the_description_works_below_the_prefix(prefixed: Chain, server: str, tmp_path: Path, browser: Browser) -> None:
    """The page at /docs loads the document from below the prefix, and tries a route out there."""
    upstream = getattr(prefixed, server).url
    with nginx.in_front_of(upstream, tmp_path / "nginx", ROOT, removed=True) as origin:
        page = browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{origin}{ROOT}/docs")
        health = page.locator(".opblock", has=page.locator('[data-path="/health"]'))
        health.locator(".opblock-summary-control").click()
        health.get_by_role("button", name="Try it out").click()
        health.get_by_role("button", name="Execute").click()
        expect(health.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
        assert [address for address in asked if not address.startswith((f"{origin}{ROOT}/", "data:"))] == []
        page.close()
