"""Streamed Markdown in a real browser renders the same however it is cut, and is harmless whatever it holds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.web.page_server import PageServer

pytestmark = pytest.mark.browser

Render = Callable[..., str]
RENDER = """async ([pieces, property]) => {
  const { MarkdownStream } = await import("/static/js/markdown.js");
  const root = document.createElement("div");
  document.body.append(root);
  const stream = new MarkdownStream(root);
  for (const piece of pieces) stream.write(piece);
  stream.end();
  return root[property];
}"""


@pytest.fixture
def render(page: Page, server: PageServer) -> Render:
    """Renders pieces of Markdown and returns the HTML or another property of the element."""
    page.goto(server.url + "/blank")
    return lambda *pieces, what="innerHTML": str(page.evaluate(RENDER, [list(pieces), what]))


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:x",
        "//evil.example",
        "/chat/turns",
        "",
    ],
)
def test_a_link_outside_the_allow_list_gets_no_address(render: Render, address: str) -> None:
    """The text of a link with a forbidden scheme stays, but it has no address to click."""
    html = render(f"[here]({address}) and ![image]({address})")
    assert "here" in html
    assert "href" not in html
    assert "src" not in html


@pytest.mark.parametrize("address", ["https://example.com/a?b=c", "http://example.com/", "mailto:a@example.com"])
def test_an_allowed_link_opens_elsewhere_and_tells_nothing(render: Render, address: str) -> None:
    """An allowed link opens in a new tab, which gets neither the opener nor the referrer."""
    html = render(f"[here]({address})")
    assert f'<a href="{address}" target="_blank" rel="noopener noreferrer nofollow">here</a>' in html


def test_an_image_becomes_a_link(render: Render) -> None:
    """An image becomes a link, because a picture would be fetched from a stranger's server as soon as the answer is shown."""
    html = render("![a cat](https://example.com/cat.png)")
    assert "<img" not in html
    assert 'href="https://example.com/cat.png"' in html
    assert "a cat" in html


@pytest.mark.parametrize(
    "source",
    [
        "<script>window.hit = 1</script>",
        "<img src=x onerror='window.hit = 1'>",
        "<svg/onload=window.hit=1>",
        "`<iframe src=//evil>`",
        "```html\n<script>window.hit = 1</script>\n```",
        '```"><script>window.hit=1</script>\ncode\n```',
        "| <script>window.hit = 1</script> | b |\n|---|---|\n| <img src=x onerror=window.hit=1> | d |\n",
        '[a](https://example.com/"onmouseover="window.hit=1)',
        "https://example.com/<script>window.hit=1</script>",
    ],
)
def test_html_in_an_answer_stays_text(render: Render, page: Page, source: str) -> None:
    """HTML from the model never becomes an element, wherever it is in the Markdown."""
    for pieces in ([source], list(source)):
        render(*pieces)
    assert page.locator("script, img, iframe, svg, [onerror], [onload], [onmouseover]").count() == 0
    assert page.evaluate("window.hit") is None


DOCUMENT = """# Title

A *paragraph* with **strong**, `code`, ~~struck~~ and a [link](https://example.com/).

| hop | time |
|---|--:|
| client_server | 0.9 ms |
| saas_api | 1.4 ms |

1. one
2. two
   - nested 😀 😁

> quoted

```python
print("__init__", client_server)
```

- [x] done

The end, at $5.
"""


def test_the_result_does_not_depend_on_the_cuts(render: Render) -> None:
    """Fed whole, character by character or in pieces of seven, the result is the same document."""
    whole = render(DOCUMENT)
    assert whole == render(*DOCUMENT)
    assert whole == render(*(DOCUMENT[start : start + 7] for start in range(0, len(DOCUMENT), 7)))


def test_the_last_character_is_shown(render: Render) -> None:
    """The last character, which the parser holds back, is shown once the text has ended."""
    assert render("The end.", what="textContent") == "The end."
    assert render("a `b`", what="textContent") == "a b"


def test_an_underscore_inside_a_word_is_no_emphasis(render: Render) -> None:
    """An underscore in a name such as client_server is no emphasis, also in tables."""
    html = render(*"client_server and saas_api and __init__ of a_b_c, but _this_ is\n")
    assert "client_server and saas_api and" in html
    assert "a_b_c" in html
    assert "<em>this</em>" in html
    assert render(DOCUMENT).count("<td>") == 4


def test_code_says_its_language_and_can_be_copied(render: Render, page: Page) -> None:
    """A code block shows its language and a copy button, as the server's rendering does."""
    render("```python title\nx = 1\n```\n")
    assert page.locator(".code-block [data-role=language]").inner_text() == "python"
    assert page.get_by_role("button", name="Copy").count() == 1
    assert page.locator(".code-block pre").inner_text().strip() == "x = 1"


@pytest.mark.parametrize(
    "source",
    [
        "> " * 200 + "deep",
        "".join(f"{'  ' * depth}- {depth}\n" for depth in range(60)) + "deep",
        "*_" * 100 + "deep",
        "[" * 500 + "deep",
        "$" * 99 + "deep",
        "|" * 500 + "deep\n",
        "`" * 500 + "deep",
    ],
    ids=["quotes", "lists", "emphasis", "brackets", "dollars", "bars", "backticks"],
)
def test_nesting_past_the_parsers_limits_loses_no_text(render: Render, source: str) -> None:
    """Markdown beyond the parser's limits is shown as plain text, and the page goes on."""
    assert "deep" in render(*source, what="textContent")


def test_a_long_answer_costs_the_same_at_its_end(render: Render, page: Page) -> None:
    """20,000 tokens are parsed in well under a second of the browser's time."""
    elapsed = page.evaluate(
        """async () => {
          const { MarkdownStream } = await import("/static/js/markdown.js");
          const root = document.body.appendChild(document.createElement("div"));
          const stream = new MarkdownStream(root);
          const began = performance.now();
          for (let i = 0; i < 20000; i += 1) stream.write(i % 50 ? `word${i} ` : `\\n\\n## Part **${i}**\\n\\n`);
          stream.end();
          return performance.now() - began;
        }"""
    )
    assert elapsed < 3000


def test_an_unfinished_construct_of_any_length_does_not_hold_the_page_up(render: Render, page: Page) -> None:
    """A link whose address never ends does not make the parser read all of it again for each character."""
    text = page.evaluate(
        """async () => {
          const { MarkdownStream } = await import("/static/js/markdown.js");
          const root = document.body.appendChild(document.createElement("div"));
          const stream = new MarkdownStream(root);
          stream.write("[a](" + "x".repeat(200000));
          stream.end();
          return root.textContent.length;
        }"""
    )
    assert text >= 200000


@pytest.mark.parametrize("unit", ["line *a* `b` \n", "A", "| a | b |\n", "- a\n"])
def test_a_long_answer_does_not_hold_the_page_up(page: Page, server: PageServer, unit: str) -> None:
    """A megabyte, laid out. Beyond some length it is plain text in blocks, and none of it is lost."""
    page.goto(server.url + "/blank")
    elapsed, kept = page.evaluate(
        """async (unit) => {
          const { MarkdownStream } = await import("/static/js/markdown.js");
          const text = unit.repeat(1_000_000 / unit.length);
          const root = document.body.appendChild(document.createElement("div"));
          root.className = "prose";
          const began = performance.now();
          const stream = new MarkdownStream(root);
          stream.write(text);
          stream.end();
          root.offsetHeight;
          return [performance.now() - began, root.textContent === text];
        }""",
        unit,
    )
    assert kept
    assert elapsed < 4000
