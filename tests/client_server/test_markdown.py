"""A model's text as HTML is readable and harmless."""

from __future__ import annotations

import html
import re
import time

import pytest

from bench.hostile_markdown import CONSTRUCTS
from client_server.rendering.markdown import MAX_RENDERED, Markdown

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\nscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    "[x](file:///etc/passwd)",
    "[x](//evil.example/)",
    "[x](/chat/turns/1/stop)",
    "<javascript:alert(1)>",
    "![x](javascript:alert(1))",
    '[x](https://a.example "onmouseover=alert(1) \\"><script>")',
    '```"><script>alert(1)</script>\ncode\n```',
    "```python onload=x\n<script>alert(1)</script>\n```",
    "`<script>alert(1)</script>`",
    "| a |\n|:-:|\n| <b onclick=x>y</b> |",
    "<style>*{display:none}</style>",
    '<a href="https://a.example" style="position:fixed">x</a>',
    "[a]: javascript:alert(1)\n\n[a]",
]


@pytest.fixture(scope="module")
def markdown() -> Markdown:
    return Markdown()


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_a_model_writes_can_run(markdown: Markdown, text: str) -> None:
    """All tags in the output are on the list, none has a handler or a style, and every link has an allowed scheme."""
    rendered = str(markdown.to_html(text))
    tags = re.findall(r"<(/?[a-zA-Z][^>]*)>", rendered)
    for tag in tags:
        assert re.match(r"/?(a|p|pre|code|div|span|table|thead|tbody|tr|th|td|em|strong)\b", tag), rendered
        assert not re.search(r"\son\w+=|\sstyle=|\ssrc=", re.sub(r'"[^"]*"', '""', tag)), rendered
    assert all(re.match("https?:|mailto:", link) for link in re.findall(r'href="([^"]*)"', rendered)), rendered


def test_images_become_links(markdown: Markdown) -> None:
    """Reading an answer fetches nothing: an image is a link with its description."""
    rendered = str(markdown.to_html("![a cat](https://tracker.example/cat.png)"))
    assert "<img" not in rendered
    assert ">a cat</a>" in rendered
    assert 'href="https://tracker.example/cat.png"' in rendered


def test_links_open_elsewhere_and_tell_nothing(markdown: Markdown) -> None:
    """A link opens in a new tab, which learns nothing about this one."""
    rendered = str(markdown.to_html("[x](https://a.example/?q=1&r=2)"))
    assert 'target="_blank"' in rendered
    assert "noopener" in rendered
    assert "noreferrer" in rendered


def test_code_is_highlighted_with_classes(markdown: Markdown) -> None:
    """Known languages get Pygments' classes, unknown ones stay plain; both say their language."""
    known = str(markdown.to_html("```python\ndef f(): pass\n```"))
    assert known.startswith('<div class="highlight" data-language="python"><pre><code><span class="k">def</span>')
    unknown = str(markdown.to_html("```nonesuch\na < b\n```"))
    assert '<div class="highlight" data-language="nonesuch"><pre><code>a &lt; b\n</code></pre></div>' in unknown


def test_tables_align_by_class(markdown: Markdown) -> None:
    """Columns keep their alignment without an inline style, which the page's policy forbids."""
    rendered = str(markdown.to_html("| a | b |\n|:--|--:|\n| 1 | 2 |"))
    assert '<td class="align-right">2</td>' in rendered
    assert "style" not in rendered


def test_enormous_answers_are_shown_as_they_are(markdown: Markdown) -> None:
    """A text over the limit is not parsed at all, but it is still escaped."""
    rendered = str(markdown.to_html("<b>" * MAX_RENDERED))
    assert rendered.startswith("<pre>&lt;b&gt;")


def test_what_nests_too_deep_is_shown_as_it_is(markdown: Markdown) -> None:
    """The parser follows twenty levels. A text that nests deeper is shown as plain text, and nothing is lost."""
    rendered = str(markdown.to_html("> " * 25 + "deep\n\nand more"))
    assert rendered.startswith("<pre>&gt; &gt;")
    assert rendered.endswith("deep\n\nand more</pre>")


def test_a_text_that_takes_too_much_work_is_shown_as_it_is(markdown: Markdown) -> None:
    """None of it is lost, and none of it becomes markup."""
    text = "[<b>" * 50_000
    assert f"<pre>{html.escape(text)}</pre>" == str(markdown.to_html(text))


def test_code_past_what_an_answer_may_take_stays_plain(markdown: Markdown) -> None:
    """Only the colours stop: the text around the code is rendered as Markdown to its end."""
    block = "```python\n" + "x = 1\n" * 2000 + "```\n\n"
    rendered = str(markdown.to_html(block * 10 + "**end**"))
    assert 10 == rendered.count("<pre><code>")
    assert 10_000 < rendered.count('<span class="mi">1</span>') < 20_000
    assert rendered.endswith("<p><strong>end</strong></p>\n")


def test_one_definition_cannot_be_used_for_a_flood(markdown: Markdown) -> None:
    """The output grows with the text, and not with its square."""
    text = f"[a]: https://a.example/{'b' * 4000}\n\n" + "[a]" * 50_000
    assert len(markdown.to_html(text)) < 10 * len(text)


@pytest.mark.parametrize("construct", CONSTRUCTS)
def test_what_is_hard_to_render_takes_no_second(markdown: Markdown, construct: str) -> None:
    """A renderer whose work grows with the square of the text takes minutes for the worst of these. None of the text runs as a script."""
    began = time.process_time()
    rendered = str(markdown.to_html(CONSTRUCTS[construct](50_000)))
    assert time.process_time() - began < 1.0
    assert "<script" not in rendered
