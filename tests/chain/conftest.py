"""A real Chromium in front of the whole chain."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.chain import Chain
from tests.web.conftest import ARGUMENTS


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """The chain that these tests share, with short timeouts for a silent provider."""
    with Chain(tmp_path_factory.mktemp("chain"), timeout_first_token_s=1.5, timeout_idle_s=1.5) as shared:
        yield shared


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """A Chromium for this module only."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[[str], Page]]:
    """Opens an address in a tab with its own session. The test fails if a script breaks the content policy or throws."""
    complaints: list[str] = []
    contexts = []

    def open_tab(url: str) -> Page:
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        contexts.append(context)
        tab = context.new_page()
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("console", lambda message: complaints.append(message.text) if "Content Security Policy" in message.text else None)
        tab.goto(url)
        tab.wait_for_selector("html[data-ready]")
        return tab

    yield open_tab
    for context in contexts:
        context.close()
    assert complaints == []
