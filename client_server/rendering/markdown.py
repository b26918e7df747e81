"""Renders an answer's Markdown as HTML that is safe in our page, whatever the model wrote.

Strategy. There are two safeguards. The parser accepts no raw HTML and only links with allowed schemes, and makes a link of every image, so
that reading an answer fetches nothing. Its output then goes through nh3, which knows nothing about Markdown and passes only a short list
of elements and attributes. A text that takes too much work (`effort.py`) is shown as plain text.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from client_server.rendering.addresses import link_addresses
from client_server.rendering.effort import Effort, TooMuch, count_effort

LINK_SCHEMES = frozenset({"http", "https", "mailto"})
MAX_RENDERED = 400_000
"""Longer answers are shown as plain text: nobody reads half a megabyte as a page."""
MAX_HIGHLIGHTED = 20_000
"""Longer blocks of code are not coloured."""
MAX_STEPS = 150_000
"""The steps of one answer (`Effort`). Prose of the greatest length takes three quarters of them."""

_BLOCK_STEPS = 2
_LEXER_STEPS = 50
_STEPS_A_CHARACTER = 2
_FORMATTER = HtmlFormatter[str](nowrap=True)

_TAGS = set("a blockquote br code del div em h1 h2 h3 h4 h5 h6 hr li ol p pre s span strong table tbody td th thead tr ul".split())
_ATTRIBUTES = {
    "a": {"href", "title", "target"},
    "code": {"class"},
    "div": {"class", "data-language"},
    "ol": {"start"},
    "span": {"class"},
    "td": {"class"},
    "th": {"class"},
}


class Markdown:
    """The parser with both safeguards. Use one per thread."""

    def __init__(self) -> None:
        self._parser = _parser()

    def to_html(self, text: str) -> Markup:
        """Returns the text as safe HTML. If it is too long or takes too much work, it is shown as plain text."""
        if len(text) > MAX_RENDERED:
            return plain(text)
        try:
            return self.attempt(text, MAX_STEPS)
        except TooMuch:
            return plain(text)

    def attempt(self, text: str, steps: int) -> Markup:
        """Returns the text as safe HTML. Raises TooMuch if that takes more steps (`Effort`)."""
        clean = nh3.clean(
            self._parser.render(text, Effort(steps).environment()),
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            url_schemes=set(LINK_SCHEMES),
            link_rel="noopener noreferrer nofollow",
        )
        return Markup(clean)  # noqa: S704  # it has just been cleaned


def plain(text: str) -> Markup:
    """Returns the text as plain text."""
    return Markup("<pre>{}</pre>").format(text)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])
    link_addresses(parser)
    count_effort(parser)
    parser.validateLink = _is_allowed  # type: ignore[method-assign]  # the library's documented way to set it
    parser.add_render_rule("image", _image_as_link)
    parser.add_render_rule("link_open", _link_open)
    parser.add_render_rule("fence", _fence)
    parser.add_render_rule("code_block", _fence)
    for cell in ("th_open", "td_open"):
        parser.add_render_rule(cell, _cell_open)
    return parser


def _is_allowed(url: str) -> bool:
    """Whether it is an absolute address with an allowed scheme. A relative one would point into this application."""
    scheme, colon, _ = url.strip().partition(":")
    return bool(colon) and scheme.lower() in LINK_SCHEMES


def _link_open(renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: Any) -> str:
    token = tokens[index]
    Effort.of(env).length(str(token.attrGet("href") or ""), str(token.attrGet("title") or ""))
    token.attrSet("target", "_blank")
    return renderer.renderToken(tokens, index, options, env)


def _image_as_link(_renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, env: Any) -> str:
    source = str(tokens[index].attrGet("src") or "")
    Effort.of(env).length(source)
    return f'<a href="{html.escape(source)}" target="_blank">{html.escape(tokens[index].content or source)}</a>'


def _cell_open(renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: Any) -> str:
    """Writes alignment as a class, because the page's policy forbids inline styles."""
    style = tokens[index].attrs.pop("style", None)
    if style is not None:
        tokens[index].attrSet("class", f"align-{str(style).rpartition(':')[2]}")
    return renderer.renderToken(tokens, index, options, env)


def _fence(_renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, env: Any) -> str:
    token = tokens[index]
    language = token.info.strip().split(maxsplit=1)[0][:40] if token.info.strip() else ""
    effort = Effort.of(env)
    effort.spend(_BLOCK_STEPS)
    code = _highlighted(token.content, language, effort)
    return f'<div class="highlight" data-language="{html.escape(language)}"><pre><code>{code}</code></pre></div>\n'


def _highlighted(code: str, language: str, effort: Effort) -> str:
    if language and len(code) <= MAX_HIGHLIGHTED and effort.afford(_LEXER_STEPS + len(code) * _STEPS_A_CHARACTER):
        try:
            lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
        except ClassNotFound:
            pass
        else:
            return highlight(code, lexer, _FORMATTER)
    return html.escape(code, quote=False)
