"""A real Chromium for the page's own tests, and a stand-in for the middle tier that serves the page.

The browser lives as long as one module, because Playwright's synchronous interface keeps an event loop running in this thread, and
the asynchronous tests of other modules cannot run beside it.
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
    """A Chromium for this module only."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def server() -> Iterator[PageServer]:
    """The stand-in, on a port for this test only."""
    with serving(PageServer()) as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: PageServer) -> Iterator[Page]:
    """An empty tab with the page's content policy. The test fails if a script breaks the policy or throws."""
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
    """The page, loaded and ready."""
    server.answers = dict.fromkeys(("go", "cut", "refuse", "again", "fail"), WORDS)
    page.goto(server.url)
    page.wait_for_selector("html[data-ready]")
    return page
