"""What a person does and sees on the page."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

WORDS = [f"w{index} " for index in range(40)]
TEXT = "".join(WORDS).strip()


def send(page: Page, message: str) -> None:
    """Types a message and presses Enter."""
    page.get_by_label("Message").fill(message)
    page.keyboard.press("Enter")


def content(page: Page) -> Locator:
    """The element with the text of the last answer."""
    return page.locator("[data-role=content]").last


def answer(page: Page, state: str = "finished") -> str:
    """The text of the last answer, once it is in this state."""
    article = page.locator("article").last
    expect(article).to_have_attribute("data-state", state, timeout=15_000)
    return article.locator("[data-role=content]").inner_text().strip()
