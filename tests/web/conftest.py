"""A real Chromium for the page's own tests, and a stand-in for the middle tier that serves it.

The browser lives as long as one module: Playwright's synchronous interface keeps an event loop running in this thread, which asynchronous
tests of other modules could not stand.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.web.page_server import PageServer, serving
from tests.web.person import WORDS

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """A Chromium of this module's own."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def server() -> Iterator[PageServer]:
    """The stand-in, serving on a port of this test's own."""
    with serving(PageServer()) as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: PageServer) -> Iterator[Page]:
    """An empty tab whose scripts may do what the page's may; the test fails if anything breaks the content policy or throws."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    tab = context.new_page()
    complaints: list[str] = []
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("console", lambda message: complaints.append(message.text) if "Content Security Policy" in message.text else None)
    yield tab
    context.close()
    assert complaints == []


@pytest.fixture
def chat(page: Page, server: PageServer) -> Page:
    """The page, loaded and wired."""
    server.answers = dict.fromkeys(("go", "cut", "refuse", "again", "fail"), WORDS)
    page.goto(server.url)
    page.wait_for_selector("html[data-ready]")
    return page
