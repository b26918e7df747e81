"""What a model wrote, as HTML: readable, and unable to do anything."""

from __future__ import annotations

import re

import pytest

from client_server.rendering.markdown import MAX_RENDERED, Renderer

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
def renderer() -> Renderer:
    return Renderer()


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_a_model_writes_can_run(renderer: Renderer, text: str) -> None:
    """Of the tags in the output, all are on the list, none has a handler or a style, and every link goes to an allowed scheme."""
    rendered = str(renderer.to_html(text))
    tags = re.findall(r"<(/?[a-zA-Z][^>]*)>", rendered)
    for tag in tags:
        assert re.match(r"/?(a|p|pre|code|div|span|table|thead|tbody|tr|th|td|em|strong)\b", tag), rendered
        assert not re.search(r"\son\w+=|\sstyle=|\ssrc=", re.sub(r'"[^"]*"', '""', tag)), rendered
    assert all(re.match("https?:|mailto:", link) for link in re.findall(r'href="([^"]*)"', rendered)), rendered


def test_images_become_links(renderer: Renderer) -> None:
    """Reading an answer fetches nothing: an image is a link with its description."""
    rendered = str(renderer.to_html("![a cat](https://tracker.example/cat.png)"))
    assert "<img" not in rendered
    assert ">a cat</a>" in rendered
    assert 'href="https://tracker.example/cat.png"' in rendered


def test_links_open_elsewhere_and_tell_nothing(renderer: Renderer) -> None:
    """A link opens in a tab of its own that knows nothing of this one."""
    rendered = str(renderer.to_html("[x](https://a.example/?q=1&r=2)"))
    assert 'target="_blank"' in rendered
    assert "noopener" in rendered
    assert "noreferrer" in rendered


def test_code_is_highlighted_with_classes(renderer: Renderer) -> None:
    """Known languages get Pygments' classes, unknown ones stay plain; both say their language."""
    known = str(renderer.to_html("```python\ndef f(): pass\n```"))
    assert known.startswith('<div class="highlight" data-language="python"><pre><code><span class="k">def</span>')
    unknown = str(renderer.to_html("```nonesuch\na < b\n```"))
    assert '<div class="highlight" data-language="nonesuch"><pre><code>a &lt; b\n</code></pre></div>' in unknown


def test_tables_align_by_class(renderer: Renderer) -> None:
    """Columns keep their alignment without an inline style, which the page's policy forbids."""
    rendered = str(renderer.to_html("| a | b |\n|:--|--:|\n| 1 | 2 |"))
    assert '<td class="align-right">2</td>' in rendered
    assert "style" not in rendered


def test_enormous_answers_are_shown_as_they_are(renderer: Renderer) -> None:
    """Beyond the limit text is not parsed at all, and still escaped."""
    rendered = str(renderer.to_html("<b>" * MAX_RENDERED))
    assert rendered.startswith("<pre>&lt;b&gt;")


async def test_a_rendering_is_kept(renderer: Renderer) -> None:
    """The same text is rendered once."""
    text = "word " * 1000
    assert await renderer.render(text) is await renderer.render(text)
