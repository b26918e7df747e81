"""Writes `web/static/css/highlight.css`: Pygments' colours for code, for the light and the dark theme.

Run it after a change of Pygments or of the styles named here. A test checks that the file is up to date.
"""

from __future__ import annotations

from pathlib import Path

from pygments.style import StyleMeta
from pygments.styles import get_style_by_name
from pygments.token import STANDARD_TYPES, Token, _TokenType

LIGHT, DARK = "xcode", "github-dark"
TARGET = Path(__file__).resolve().parent.parent / "web" / "static" / "css" / "highlight.css"
HEAD = f"""/* Colours of highlighted code. Written by scripts/highlight_css.py from Pygments' styles {LIGHT} and {DARK}. */
"""


def declarations(light: StyleMeta, dark: StyleMeta, token: _TokenType) -> list[str]:
    """The CSS declarations for one kind of token in both styles."""
    day, night = light.style_for_token(token), dark.style_for_token(token)
    lines = []
    if day["color"] or night["color"]:
        lines.append(f"color: light-dark({_colour(day['color'])}, {_colour(night['color'])});")
    if day["bold"] and night["bold"]:
        lines.append("font-weight: 600;")
    if day["italic"] and night["italic"]:
        lines.append("font-style: italic;")
    return lines


def _colour(value: str | None) -> str:
    return f"#{value}" if value else "currentColor"


def render() -> str:
    """The whole style sheet."""
    light, dark = get_style_by_name(LIGHT), get_style_by_name(DARK)
    plain = declarations(light, dark, Token)
    selectors: dict[tuple[str, ...], list[str]] = {}
    for token, name in sorted(STANDARD_TYPES.items(), key=lambda item: item[1]):
        lines = declarations(light, dark, token)
        if name and lines and lines != plain:
            selectors.setdefault(tuple(lines), []).append(f".highlight .{name}")
    rules = ["\n{} {{\n  {}\n}}\n".format(",\n".join(names), "\n  ".join(lines)) for lines, names in selectors.items()]
    return HEAD + "".join(rules)


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
