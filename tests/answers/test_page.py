"""The page's script reads the table of answers as everybody else does."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import Page

from tests.answers.cases import CASES, Case
from tests.answers.conftest import Servers

pytestmark = pytest.mark.browser

READ = """async (events) => {
  const { ChunkReader } = await import("/static/js/chunks.js");
  const reader = new ChunkReader();
  const pieces = events.map((event) => { try { return reader.read(JSON.parse(event)); } catch { return reader.read({}); } });
  const join = (name) => pieces.map((piece) => piece[name]).join("");
  return [join("text"), join("refusal"), pieces.findIndex((piece) => piece.isToken)];
}"""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_page(servers: Servers, page: Page, case: Case) -> None:
    """It gets the text, and knows the first token, from the frames that the middle tier sends."""
    body = httpx.post(servers.middle.url + "/api/chat/stream", json={"message": case.id}, timeout=30).text
    events = [frame.partition("data: ")[2] for frame in body.split("\n\n") if frame.startswith("id: ") and "\nevent: " not in frame]
    text, refusal, first_token = page.evaluate(READ, events)
    assert (text, refusal) == (case.text, case.refusal)
    assert (None if first_token < 0 else first_token) == case.first_token
