"""Markdown that is hard to render: texts that a model can be asked for, each of which makes a careless renderer slow.

`CONSTRUCTS` maps a name to a function of the length. The tests and `bench.rendering` feed the same ones.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

Construct = Callable[[int], str]


def _over(unit: str) -> Construct:
    """The unit over and over."""
    return lambda length: (unit * (length // len(unit) + 1))[:length]


def _lines(line: Callable[[int], str]) -> Construct:
    """Lines that differ, up to the length."""

    def text(length: int) -> str:
        found = ""
        for number in count():
            if len(found) >= length:
                break
            found += line(number)
        return found[:length]

    return text


def _halves(first: Callable[[int], str], second: Callable[[int], str]) -> Construct:
    """Half of the length of this, then half of that."""
    return lambda length: first(length // 2) + second(length - length // 2)


def _wide_table(length: int) -> str:
    """A table whose head has a fifth of the length in columns, and whose rows have one cell."""
    columns = length // 10
    head = "|" + "a|" * columns + "\n|" + "-|" * columns + "\n"
    return (head + "|b\n" * (length // 3))[:length]


def _around(opening: str, closing: str) -> Construct:
    """Opened as often as it is closed, one in the other."""
    unit = len(opening) + len(closing)
    return lambda length: opening * (length // unit) + "x" + closing * (length // unit)


def _code(language: str, unit: str) -> Construct:
    """A block of code in a language."""
    return lambda length: f"```{language}\n" + _over(unit)(length - len(language) - 9) + "\n```\n"


CONSTRUCTS: dict[str, Construct] = {
    # addresses
    "mailto:": _over("mailto:"),
    "<mailto:a": _over("<mailto:a"),
    "<mailto:a@b.c> words": _over("<mailto:a@b.c> "),
    "<x:": _over("<x:"),
    "<a:>": _over("<a:>"),
    "http://": _over("http://"),
    "http://a": _over("http://a"),
    "http://a words": _over("http://a "),
    "https://a? one address": lambda length: "https://a/" + _over("?!.,")(length - 10),
    "https://a) one address": lambda length: "https://a/" + _over(")")(length - 10),
    "https://a&amp; one address": lambda length: "https://a/" + _over("&amp;")(length - 10),
    "https://a[ many": _over("https://a["),
    "<https://a many": _over("<https://a"),
    "a@b.c words": _over("a@b.c "),
    "colons": _over(":"),
    "https://ü one host": lambda length: "https://" + "ü" * length,
    "https://ü words": _over("https://ü.ü "),
    "https://a.a one host": lambda length: "https://a" + _over(".a")(length),
    "https://a@ one address": lambda length: "https://a" + _over("@a")(length),
    "https://a% one address": lambda length: "https://a/" + _over("%")(length),
    "https://a/ü one address": lambda length: "https://a/" + "ü" * length,
    "[a](http://ü) one host": lambda length: "[a](http://" + "ü" * length + ")",
    "[a](http://a/%) one address": lambda length: "[a](http://a/" + "%" * length + ")",
    "long word, then colons": _halves(_over("x"), _over("http:")),
    # brackets
    "[": _over("["),
    "]": _over("]"),
    "![": _over("!["),
    "[]": _over("[]"),
    "[a](": _over("[a]("),
    "[a](b": _over("[a](b"),
    "[a](<b": _over("[a](<b"),
    '[a](b "': _over('[a](b "'),
    "[a](b 'c": _over("[a](b 'c"),
    "[a](http://b.c)": _over("[a](http://b.c)"),
    "![a](http://b.c)": _over("![a](http://b.c)"),
    "[a](spaces": lambda length: "[a](" + " " * length,
    "[a][": _over("[a]["),
    "[ then ]": _halves(_over("["), _over("]")),
    "[a ](b) in one another": _around("[", "](http://b.c)"),
    "![a ](b) in one another": _around("![", "](http://b.c)"),
    "![[": _over("![["),
    "[![": _over("[!["),
    "[`": _over("[`"),
    "[*": _over("[*"),
    "[(": _over("[("),
    "[\\": _over("[\\"),
    "(": _over("("),
    "[a](((": lambda length: "[a](" + _over("(")(length),
    # references
    "[a]: b": _over("[a]: http://b\n"),
    "[a]: b, all different": _lines(lambda n: f"[a{n}]: http://b\n"),
    "[a]: b, then uses": _halves(_over("[a]: http://b\n"), _over("\n[a]")),
    "definitions, then uses": _halves(_lines(lambda n: f"[a{n}]: http://b\n"), _lines(lambda n: f"\n[a{n}]")),
    "a long address, then uses": _halves(lambda length: "[a]: http://" + "b" * length + "\n\n", _over("[a]")),
    "a long title, then uses": _halves(lambda length: '[a]: http://b "' + "c" * length + '"\n\n', _over("[a]")),
    "[a]: b, titles that do not end": _over('[a]: http://b "c\n'),
    "[a]: b (, titles that do not end": _over("[a]: http://b (c\n"),
    "[a]: b, a title over all lines": lambda length: '[a]: http://b "' + _over("c\n")(length),
    "[a]: b, a title over all lines, closed": lambda length: '[a]: http://b "' + _over("c\n")(length) + '"\n',
    "[a]: b, a label over all lines": lambda length: "[" + _over("c\n")(length),
    "[a]: b in lists": _over("- [a]: http://b\n"),
    "[a]:": _over("[a]:\n"),
    "[ labels over lines": _over("[a\n"),
    "footnotes": _lines(lambda n: f"[^{n}]: note\ntext[^{n}]\n"),
    "one definition, [ [ [": lambda length: "[a]: http://b\n\n" + _over("[ ")(length),
    "one definition, ![a][": lambda length: "[a]: http://b\n\n" + _over("![a][")(length),
    "one definition, [a][b": lambda length: "[a]: http://b\n\n" + _over("[a][b")(length),
    "one definition, long labels": lambda length: "[a]: http://b\n\n" + _around("[x ", "]")(length),
    # emphasis and code
    "*": _over("*"),
    "**": _over("**a "),
    "*a ": _over("*a "),
    "a* ": _over("a* "),
    "_a": _over("_a"),
    "*a_ ": _over("*a_ "),
    "*_": _over("*_"),
    "a**b": _over("a**b"),
    "a***b* ": _over("a***b* "),
    "*a**a*": _over("*a**a*"),
    "*a then a*": _halves(_over("*a "), _over("a* ")),
    "**a *a*_a": _over("**x [a*b**c*](http://d)_a "),
    "one run of * between words": lambda length: "a" + "*" * length + "b",
    "one run of _, then one back": lambda length: "_" * (length // 2) + "a" + "_" * (length // 2),
    "**a** alone": _over("**a** "),
    "~~": _over("~~"),
    "~~a": _over("~~a"),
    "~~~ odd": _over("~~~a~~"),
    "~~~a then a~~~": _halves(_over("~~~a "), _over("a~~~ ")),
    "`": _over("`"),
    "`a": _over("`a"),
    "`a``": _over("`a``"),
    "backticks, longer and longer": _lines(lambda n: "`" * (n + 1) + "a"),
    "backticks, shorter and shorter": lambda length: _lines(lambda n: "`" * (n + 1) + "a")(length)[::-1],
    "backticks, then one longer": _halves(_over("`a "), lambda length: "``" + "b" * length),
    "\\": _over("\\"),
    "\\*": _over("\\*"),
    "\\ line ends": _over("\\\n"),
    # characters
    "&": _over("&"),
    "&#": _over("&#"),
    "&#x": _over("&#x"),
    "&amp;": _over("&amp;"),
    "&#1;": _over("&#1;"),
    "&CounterClockwiseContourIntegral;": _over("&CounterClockwiseContourIntegral;"),
    "<": _over("<"),
    "<b>": _over("<b>"),
    "<!--": _over("<!--"),
    "quotes": _over("\"'"),
    "\\r\\n": _over("a\r\n"),
    "\\r\\r\\n\\n": _over("a\r\r\n\n"),
    "spaces": _over(" "),
    "spaces between": _over("a" + " " * 99 + "\n"),
    "a line of spaces": lambda length: "a\n" + " " * length + "a\n",
    "spaces at line ends": _over("a" + " " * 9 + "\n"),
    "one long line of spaces before a break": lambda length: "a" + " " * length + "\nb",
    "tabs": _over("\t"),
    "tabs and words": _over("\ta"),
    "nul": _over("\0"),
    "joiners and overrides": _over("\u200d\u202e"),
    "accents": lambda length: "a" + "\u0301" * length,
    "emoji": _over("👩‍👩‍👧 "),
    "one long word": _over("a"),
    "astral word": _over("𝒳"),
    # blocks
    ">": _over(">"),
    "> > lines": _over("> > a\n"),
    "> deeper and deeper": _lines(lambda n: ">" * (n % 400 + 1) + " a\n"),
    "> 50 deep": _over(">" * 50 + "a\n"),
    "> 20 deep, then spaces": lambda length: ">" * 20 + " " * length + "a",
    "> then lazy lines": lambda length: ">" * 50 + _over("a\n")(length),
    "* ": _over("* "),
    "- ": _over("- "),
    "1. ": _over("1. "),
    "- a": _over("- a\n"),
    "1) a": _over("1) a\n"),
    "- and + in turns": _over("- a\n+ b\n"),
    "- deeper and deeper": _lines(lambda n: "  " * (n % 200) + "- a\n"),
    "- deeper for ever": _lines(lambda n: "  " * n + "- a\n"),
    "- in > in -": _over("- > "),
    "- in > lines": _over("- > - > a\n"),
    "- with empty lines": _over("-\n\n"),
    "- long item": lambda length: "- a\n" + _over("  b\n")(length),
    "- 9 deep, long item": lambda length: "- " * 9 + "a\n" + _over(" " * 18 + "b\n\n")(length),
    "# ": _over("# a\n"),
    "#": _over("#"),
    "# closed": lambda length: "# a " + _over("# ")(length),
    "setext": _over("a\n===\n"),
    "setext without an end": _over("a\n=b\n"),
    "setext, one long": lambda length: _over("a\n")(length) + "---\n",
    "---": _over("---\n"),
    "- - -": _over("- - - "),
    "a line of * and spaces": lambda length: _over("* ")(length) + "a",
    "lines of * * a": _over("* * * * a\n"),
    "    code": _over("    a\n"),
    "    code with empty lines": _over("    a\n\n"),
    "empty lines": _over("\n"),
    "words on lines": _over("a\n"),
    "paragraphs": _over("a\n\n"),
    "```": _over("```\n"),
    "``` never closed": _over("```a\n"),
    "~~~ longer and longer": _lines(lambda n: "~" * (n + 3) + "\n"),
    "``` with a backtick": _over("```a`\n"),
    "``` in >": _over("> ```\n"),
    # tables
    "|": _over("|"),
    "| a | rows": lambda length: "|a|b|\n|-|-|\n" + _over("|a|b|\n")(length),
    "wide table, short rows": _wide_table,
    "tables of one row": _over("|a|\n|-|\n|b|\n\n"),
    "|-| lines": _over("|-|-|\n"),
    "| without a head": _over("|a|b|\n"),
    "table of one line": lambda length: "|a|\n|-|\n" + _over("|b")(length),
    "table of escaped bars": lambda length: "|a|\n|-|\n" + _over("\\|")(length),
    "table with alignments": lambda length: "|" + "a|" * 100 + "\n|" + ":-:|" * 100 + "\n" + _over("|b\n")(length),
    "a line of -|": lambda length: "a|b\n" + _over("-|")(length),
    "a line of - and spaces": lambda length: "|a|\n|" + "-" * length + " x",
    # code
    "python": _code("python", "def f(): pass\n"),
    "python quotes": _code("python", "'''\""),
    "python brackets": _code("python", "f'{("),
    "javascript": _code("javascript", "/a/[`${"),
    "html": _code("html", "<a b='<!--"),
    "markdown in markdown": _code("markdown", "```python\n*a [b]("),
    "json": _code("json", '{"a":['),
    "perl": _code("perl", "s/a/b/ q{m{"),
    "bash": _code("bash", "$((`<<E\n"),
    "c++": _code("cpp", "template<a<b<(*("),
    "java": _code("java", "a b<c, d["),
    "sql": _code("sql", "select 'a\\'' /* "),
    "yaml": _code("yaml", "- a: {b: [&c "),
    "ruby": _code("ruby", "%w(#{<<E "),
    "php": _code("php", "<?php $a->b /* "),
    "haskell": _code("haskell", "{- "),
    "code blocks, small": _over("```python\nx = 1\n```\n"),
    "code blocks, unknown": _over("```no-such\nx\n```\n"),
    "code blocks, many languages": lambda length: (
        "".join(f"```{name}\nx\n```\n" for name in ("c", "go", "rust", "lua", "r")) * (length // 60)
    ),
}
