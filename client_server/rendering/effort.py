"""Counts the work that a text makes while it is parsed, so that no text is slow to render.

Strategy. A Markdown parser looks ahead, goes back, and tries one rule after another. A text can be written so that some rule reads
everything again and again, and nobody knows all such texts. So we count the work itself, in steps, at the places that all work passes:
each line, each piece of text or markup, each label. A text that needs more steps than it is allowed is not shown as Markdown. Between
two of these places a rule reads the text at most once.
"""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, cast

from markdown_it import MarkdownIt, helpers
from markdown_it.parser_block import ParserBlock
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline

MAX_ADDRESS = 4096
"""The longest address or title of a link. One definition can be used a hundred thousand times, and each use writes all of it."""

_CHARACTERS_A_STEP = 32
_STEPS_BY_CHARACTER = {"[": 6, "!": 6, ":": 6}
"""The steps of a piece that begins with one of these; all others take one. Reading and checking an address is the most work."""
_RUN = re.compile(r"[*_~]+")
"""Marks of emphasis. Each is looked at again when opening and closing marks are paired."""
_KEY = "effort"
_EVERYWHERE = ["paragraph", "reference", "blockquote", "list"]
"""The rules that ask the block rules whether another block begins."""


class TooMuch(Exception):
    """The text needs more steps than it is allowed, or nests deeper than the parser follows."""


class Effort:
    """The steps that one text has left. A step takes about as long as one piece of inline markup: at most 10 microseconds."""

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.tokens = 0  # of blocks, already counted

    def spend(self, steps: int) -> None:
        """Takes the steps. Raises TooMuch if there are not enough."""
        self.left -= steps
        if self.left < 0:
            raise TooMuch

    def afford(self, steps: int) -> bool:
        """Takes the steps if there are enough, and returns whether there were."""
        enough = self.left >= steps
        self.left -= steps if enough else 0
        return enough

    def length(self, *texts: str) -> None:
        """Takes the steps for writing this many characters."""
        self.spend(sum(map(len, texts)) // _CHARACTERS_A_STEP)

    def blocks(self, tokens: int) -> None:
        """Takes the steps for blocks made since the last call: a table makes cells that nobody wrote."""
        self.spend(tokens - self.tokens)
        self.tokens = tokens

    def environment(self) -> dict[str, Any]:
        """Returns the environment that the parser passes from rule to rule."""
        return {_KEY: self}

    @staticmethod
    def of(env: Any) -> Effort:
        """Returns the effort in this environment."""
        return cast(Effort, env[_KEY])


def count_effort(parser: MarkdownIt) -> None:
    """Makes the parser count. It then renders only with an `Effort.environment()`, and may raise TooMuch."""
    block = _Block()
    block.ruler = parser.block.ruler
    block.ruler.before("table", _KEY, _count_line, {"alt": _EVERYWHERE})
    parser.block = block
    parser.core.ruler.before("inline", _KEY, _count_blocks)
    parser.inline.ruler.before("text", _KEY, _count_piece)
    parser.helpers = SimpleNamespace(  # type: ignore[assignment]  # a module; the rules use these three functions of it
        parseLinkLabel=_label, parseLinkDestination=_destination, parseLinkTitle=_title
    )


class _Block(ParserBlock):
    def tokenize(self, state: StateBlock, startLine: int, endLine: int) -> None:  # noqa: N803  # the library's names
        """Raises TooMuch for deep nesting, which the library would silently leave out."""
        if state.level >= state.md.options.maxNesting:
            raise TooMuch
        super().tokenize(state, startLine, endLine)


def _count_line(state: StateBlock, start: int, _end: int, _silent: bool) -> bool:
    """Called before all other rules, for each line at which a block may begin."""
    effort = Effort.of(state.env)
    effort.blocks(len(state.tokens))
    begin, end = state.bMarks[start], state.eMarks[start]
    effort.spend(_steps_at(state.src, begin + state.tShift[start]) + (end - begin) // _CHARACTERS_A_STEP)
    return False


def _count_blocks(state: StateCore) -> None:
    Effort.of(state.env).blocks(len(state.tokens))


def _count_piece(state: StateInline, silent: bool) -> bool:
    """Called before all other rules, for each piece of text or markup."""
    run = None if silent else _RUN.match(state.src, state.pos)
    Effort.of(state.env).spend(_steps_at(state.src, state.pos) if run is None else 2 * len(run[0]))
    return False


def _steps_at(source: str, position: int) -> int:
    return _STEPS_BY_CHARACTER.get(source[position : position + 1], 1)


def _label(state: StateInline, start: int, disableNested: bool = False) -> int:  # noqa: N803  # the library's name
    """A label may end anywhere, so each bracket reads everything that follows."""
    end = helpers.parseLinkLabel(state, start, disableNested)
    Effort.of(state.env).spend(((state.posMax if end < 0 else end) - start) // _CHARACTERS_A_STEP)
    return end


def _destination(string: str, pos: int, maximum: int) -> Any:
    limit = min(maximum, pos + MAX_ADDRESS)
    found = helpers.parseLinkDestination(string, pos, limit)
    found.ok = found.ok and not found.pos == limit < maximum
    return found


def _title(string: str, start: int, maximum: int, previous: Any = None) -> Any:
    """A title may span lines; for each line the library copies what it has so far."""
    limit = min(maximum, start + MAX_ADDRESS - (len(previous.str) if previous else 0))
    found = helpers.parseLinkTitle(string, start, limit, previous)
    found.can_continue = found.can_continue and limit == maximum
    return found
