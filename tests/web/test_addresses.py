"""Addresses in a streaming answer become the same links as in the stored answer, however the stream is cut."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from client_server.rendering.markdown import Markdown
from tests.web.page_server import PageServer

pytestmark = pytest.mark.browser

SHOWN = """([html, pieces]) => import("/static/js/markdown.js").then(({ MarkdownStream }) => {
  const root = document.createElement("div");
  if (html !== null) {
    root.setHTMLUnsafe(html);
  } else {
    const stream = new MarkdownStream(root);
    for (const piece of pieces) stream.write(piece);
    stream.end();
  }
  for (const head of root.querySelectorAll(".code-head")) head.remove();
  const links = [...root.querySelectorAll("a")]
    .map((link) => [link.textContent, link.href, link.target, [...link.relList].sort().join(" ")]);
  return { text: root.textContent.replace(/\\s+/g, ""), links };
})"""

SOURCES = {
    "as it stands": ("Read https://a.example/b?c=d&e=f#g now.", ["https://a.example/b?c=d&e=f#g"]),
    "in angle brackets": ("Read <https://a.example/b?c=d> now.", ["https://a.example/b?c=d"]),
    "alone": ("https://a.example", ["https://a.example"]),
    "at a sentence's end": ("It is at https://a.example/b. Or https://a.example/c!", ["https://a.example/b", "https://a.example/c"]),
    "in brackets": ("(https://a.example/b) and (see https://a.example/c_(d))", ["https://a.example/b", "https://a.example/c_(d)"]),
    "with underscores": ("https://a.example/_b_/c_d__e_ end", ["https://a.example/_b_/c_d__e"]),
    "in strong text": ("**https://a.example/b** and *<http://c.example/>*", ["https://a.example/b", "http://c.example/"]),
    "in quotation marks": ("\"https://a.example/b\" 'https://a.example/c'", ["https://a.example/b", "https://a.example/c"]),
    "in a heading and a list": ("# At https://a.example/b\n\n- https://a.example/c\n- <https://d.example>\n", None),
    "in a table": ("| a | b |\n|---|---|\n| https://a.example/b | <https://c.example/> |\n", ["https://a.example/b", "https://c.example/"]),
    "in another script": ("见https://a.example/b。请看 https://a.example/c，谢谢", ["https://a.example/c"]),
    "with letters of other scripts": ("https://a.example/Zürich/東京 end", ["https://a.example/Zürich/東京"]),
    "one after the other": ("https://a.example https://b.example\nhttps://c.example", [f"https://{name}.example" for name in "abc"]),
    "for mail": ("<mailto:a@b.example>, mailto:a@b.example, <a@b.example>", ["mailto:a@b.example"]),
    "of a name in capitals": ("HTTPS://A.EXAMPLE/b", ["HTTPS://A.EXAMPLE/b"]),
    "not closed": ("a <https://a.example/b and c", ["https://a.example/b"]),
    "in a link": ("[https://a.example](https://b.example/c)", ["https://a.example"]),
    "in code": ("`https://a.example` and\n\n```\nhttps://b.example\n```\n", []),
    "inside a word": ("xhttps://a.example and 1http://b.example", []),
    "with nothing behind it": ("http:// and https://. and http and <https://> and <h", []),
    "in markup that is shown": ("<a href=\"https://a.example\"><img src='https://b.example' alt=https://c.example>", []),
    "of a forbidden scheme": ("<javascript:alert(1)> javascript:alert(1) <data:text/html,x> ftp://a.example file:///etc", []),
    "with markup in it": ("https://a.example/<script>alert(1)</script>", ["https://a.example/"]),
}


@pytest.mark.parametrize("name", SOURCES)
def test_streamed_and_stored_addresses_are_the_same_links(page: Page, server: PageServer, name: str) -> None:
    """Fed whole, in pieces or character by character, links have the same text, target and relation as in the stored answer."""
    source, expected = SOURCES[name]
    page.goto(server.url + "/blank")
    stored: dict[str, Any] = page.evaluate(SHOWN, [str(Markdown().to_html(source)), None])
    for size in (len(source), 7, 3, 1):
        pieces = [source[start : start + size] for start in range(0, len(source), size)]
        assert page.evaluate(SHOWN, [None, pieces]) == stored, size
    if expected is not None:
        assert [link[0] for link in stored["links"]] == expected
    assert all(link[1].startswith(("http://", "https://", "mailto:")) and link[2] == "_blank" for link in stored["links"])


def test_an_entity_is_not_part_of_an_address(page: Page, server: PageServer) -> None:
    """An entity after an address gives the same link, although only the stored answer resolves the entity."""
    page.goto(server.url + "/blank")
    source = "https://a.example/b&amp; and https://a.example/c?d&lt;"
    stored = page.evaluate(SHOWN, [str(Markdown().to_html(source)), None])
    assert [link[0] for link in stored["links"]] == ["https://a.example/b", "https://a.example/c?d"]
    assert page.evaluate(SHOWN, [None, list(source)])["links"] == stored["links"]


def test_an_address_of_any_length_does_not_hold_the_page_up(page: Page, server: PageServer) -> None:
    """Each further piece of an address costs the same, so half a megabyte in small pieces takes only a moment."""
    page.goto(server.url + "/blank")
    elapsed, length = page.evaluate(
        """async () => {
          const { MarkdownStream } = await import("/static/js/markdown.js");
          const root = document.body.appendChild(document.createElement("div"));
          const stream = new MarkdownStream(root);
          const began = performance.now();
          stream.write("see https://a.example/");
          for (let i = 0; i < 50000; i += 1) stream.write(i % 2 ? "abcdefghi)" : "(abc;abc..");
          stream.end();
          return [performance.now() - began, root.textContent.length];
        }"""
    )
    assert length > 490_000
    assert elapsed < 3000
