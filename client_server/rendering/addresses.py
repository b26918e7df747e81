"""Makes links of addresses in an answer's text: plain `https://…`, and `<https://…>` in angle brackets.

`web/static/js/addresses.js` has the same rule for text that is still arriving. The two must agree, so that nothing moves when the
stored answer replaces the streamed one. For that reason this is not CommonMark's own rule.
"""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

_SCHEME = re.compile(r"(?:https?|mailto)\Z", re.IGNORECASE)
_SCHEME_LENGTH = 6
_AFTER_SCHEME = re.compile(r":(?://)?(?=[A-Za-z0-9])")
_BODY = re.compile(
    r"""(?:[^\x00-\x20"$*<>\[\\\]`|~\x7f-\xa0\u1680\u2000-\u206f\u3000-\u303f\ufeff\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]"""
    r"|~(?!~))+"
)
"""No white space, no controls, and nothing that Markdown or a sentence in any script puts around an address."""
_UNFIT_BEFORE = re.compile(r"""(?:[^\W_]|=["']?)\Z""")
"""An address after one of these is no link: it continues a word, or belongs to markup that is shown as text."""
_ENTITY = re.compile(r"&[a-z0-9#]{1,10};\Z", re.IGNORECASE)
_ENTITY_LENGTH = 12
_PUNCTUATION = "?!.,:;_~'"


def link_addresses(parser: MarkdownIt) -> None:
    """Gives the parser this rule instead of CommonMark's."""
    parser.disable("autolink")
    parser.inline.ruler.before("newline", "address", _address)


def _address(state: StateInline, silent: bool) -> bool:
    """The rule. The parser calls it at each colon; the scheme before it is in `pending`."""
    if state.src[state.pos] != ":" or state.linkLevel > 0:
        return False
    found = _SCHEME.search(state.src, max(0, state.pos - _SCHEME_LENGTH), state.pos)
    after = _AFTER_SCHEME.match(state.src, state.pos, state.posMax)
    if found is None or after is None or (not silent and not state.pending.endswith(found[0])):
        return False
    start, mail = found.start(), found[0].lower() == "mailto"
    before = state.src[start - 1] if start else ""
    if mail == after[0].endswith("//") or (mail and before != "<") or _UNFIT_BEFORE.search(state.src, max(0, start - 2), start):
        return False  # checked before the address is read to its end, so that no two addresses overlap
    body = _BODY.match(state.src, start, state.posMax)
    if body is None:
        return False
    closed = before == "<" and state.src[body.end() : body.end() + 1] == ">" and (silent or state.pending.endswith("<" + found[0]))
    if mail and not closed:
        return False
    text = body[0] if closed else body[0][: _length(body[0])]
    href = state.md.normalizeLink(text)
    if not state.md.validateLink(href):
        return False
    if not silent:
        state.pending = state.pending[: -len(found[0]) - closed]
        _push(state, text, href)
    state.pos = start + len(text) + closed
    return True


def _length(text: str) -> int:
    """Returns the length of the address. Punctuation at its end belongs to the sentence, and so does a bracket that it does not open."""
    end = len(text)
    unopened = text.count(")") - text.count("(")
    while True:
        last = text[end - 1]
        if last == ")" and unopened > 0:
            unopened -= 1
        elif last not in _PUNCTUATION:
            return end
        entity = _ENTITY.search(text[max(0, end - _ENTITY_LENGTH) : end]) if last == ";" else None
        end -= len(entity[0]) if entity else 1


def _push(state: StateInline, text: str, href: str) -> None:
    state.push("link_open", "a", 1).attrs = {"href": href}
    state.push("text", "", 0).content = text
    state.push("link_close", "a", -1)
