"""Finds in a text the value of a property with a given name.

It looks first for the name itself ("age: 35", "city = Paris"), then for a phrase that such a property usually has ("35 years old", "in
Paris"), and then for the next unused number or quotation.
"""

from __future__ import annotations

import re
from typing import Any

_READ = 4000
"""How many characters of the text are searched for clues."""
_NUMBER = r"-?\d{1,15}(?:\.\d{1,15})?"
_NAME = r"[A-ZÀ-ÖØ-Þ][\w'’-]+(?: [A-ZÀ-ÖØ-Þ][\w'’-]+)*"
FORMATS = {
    "email": r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    "uri": r"https?://[^\s\"'<>)]+",
    "date-time": r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?",
    "date": r"\d{4}-\d\d-\d\d",
    "time": r"\b\d\d:\d\d(?::\d\d)?",
    "uuid": r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
}
_WORDS = r"\"[^\"]+\"|“[^”]+”|[^,;.\n]+"
_CLAUSE = r"\"[^\"]+\"|“[^”]+”|[^,;.!?\n]+?(?=\s+(?:and|but|who|which|with|in|at|from)\b|[,;.!?\n]|$)"
_MEANINGS: tuple[tuple[str, str], ...] = (
    (r"e_?mail", f"({FORMATS['email']})"),
    (r"url|uri|link|website", f"({FORMATS['uri']})"),
    (r"date|day|when", rf"({FORMATS['date']}|(?i:today|tomorrow|yesterday|monday|tuesday|wednesday|thursday|friday|saturday|sunday))"),
    (r"city|town|place|location|country|destination|region", rf"\b(?:in|at|to|for|near|from|of)\s+({_NAME})"),
    (r"city|town|place|location|country|destination|region", r"\b(?:in|at|to|for|near)\s+(?!the\b|an?\b|my\b)([^\W\d_]{3,})"),
    (
        r"occupation|job|profession|role",
        r"\b(?:is|am|as|a)\s+(?:an?\s+)?(?:\d+[ -]years?[ -]old\s+)?((?!an?\b|the\b|\d)[a-z]+(?: [a-z]+)?)"
        r"(?=\s+(?:from|in|at|with|who|and|by)\b|\s*[.,;]|$)",
    ),
    (r"name|person|author|customer|user|who|recipient", rf"\b(?i:name is|name's|called|named|i am|i'm|to|by|for|with|meet)\s+({_NAME})"),
    (r"name|person|author|customer|user|who", rf"({_NAME} {_NAME})"),
    (r"name|person|author|customer|user|who", rf"^\W*({_NAME})(?= (?:is|was|has|works|lives)\b)"),
    (r"age|years", r"\b(\d{1,3})(?=[ -]years?[ -]old\b|[ -]year\b| years\b)|\b(?:aged?|is|am)\s+(\d{1,3})\b"),
    (r"price|amount|cost|total", rf"[$€£]\s?({_NUMBER})|({_NUMBER})\s?(?:dollars|euros|pounds|USD|EUR|[$€£])"),
    (r"expression|formula|equation", r"((?:[\d.(]+\s*[-+*/^]\s*)+[\d.()]+)"),
    (r"unit|units", r"\b(celsius|fahrenheit|kelvin|metric|imperial)\b"),
)
"""Pairs of patterns: one for a property's name, and one for the text. The value is the first group that matched in the text."""
_WHOLE_TEXT = re.compile(r"query|question|prompt|text|message|content|input|search|request|description|summary|answer|body", re.IGNORECASE)
"""Property names whose value is the whole text."""


class Clues:
    """One text, searched for many names. A number or quotation that one name has taken is not given to the next."""

    def __init__(self, text: str) -> None:
        self.text = text = text[:_READ].strip()
        self._numbers = re.findall(rf"(?<![\w.]){_NUMBER}(?!\w)", text)
        self._quotations = [curly or straight for curly, straight in re.findall(r"“([^”]+)”|\"([^\"]+)\"", text)]

    def number(self, name: str, *, whole: bool) -> int | float | None:
        """The number for this name, or else the next unused one."""
        raw = self._labelled(name, _NUMBER) or self._meant(name)
        if raw is None or not re.fullmatch(_NUMBER, raw):
            raw = next((number for number in self._numbers if not whole or "." not in number), None)
        if raw is None:
            return None
        if raw in self._numbers:
            self._numbers.remove(raw)
        return int(float(raw)) if whole else number_of(raw)

    def numbers(self, *, whole: bool) -> list[int | float]:
        """All unused numbers."""
        taken, self._numbers = self._numbers, []
        return [number_of(raw) for raw in taken if not whole or "." not in raw]

    def boolean(self, name: str) -> bool | None:
        """Whether the text affirms the name; None if it does not mention it."""
        said = self._labelled(name, r"true|false|yes|no|on|off")
        if said is not None:
            return said.lower() in ("true", "yes", "on")
        words = _label(re.sub(r"^(?:is|has|can|should|wants?|needs?)_?(?=[A-Z_])|^(?:is|has)_", "", name))
        match = re.search(rf"(\b(?:not|no|never|without|isn't|don't|doesn't)\s+(?:\w+\s+)?)?\b{words}\b", self.text, re.IGNORECASE)
        return None if match is None else match[1] is None

    def string(self, name: str) -> str | None:
        """The words for this name. A name such as `query` or `message` gets the whole text if nothing else is found."""
        found = self._labelled(name, _WORDS, link="[:=]") or self._meant(name) or self._labelled(name, _CLAUSE)
        if found is None and self._quotations:
            found = self._quotations.pop(0)
        if found is None and _WHOLE_TEXT.search(name):
            found = self.text
        return (found or "").strip().strip("\"“”'") or None

    def of_format(self, shape: str) -> str | None:
        """The first value in this JSON Schema format, such as `date`."""
        match = re.search(FORMATS[shape], self.text)
        return match[0] if match else None

    def mentions(self, option: str) -> bool:
        """Whether the text contains the option as whole words."""
        return bool(re.search(rf"(?<!\w){re.escape(option).replace('_', '[ _-]')}(?!\w)", self.text, re.IGNORECASE))

    def listing(self, name: str) -> list[str]:
        """The items of a list such as `skills: a, b and c`, or of one after a verb such as “knows” or “likes”."""
        label = _label(name)
        match = re.search(rf"\b{label}\b\s*(?:[:=]|are|is|include|like)\s*([^.\n;]+)", self.text, re.IGNORECASE)
        match = match or re.search(r"\b(?:knows?|likes?|speaks?|uses?|with|including|such as|skilled in|good at)\s+([^.\n;]+)", self.text)
        if not match:
            return []
        return [part.strip(" \"'“”[]") for part in re.split(r",\s*(?:and\s+)?|\s+and\s+", match[1]) if part.strip(" \"'“”[]")]

    def _labelled(self, name: str, shape: str, *, link: str = r"[:=]|\bis\b|\bof\b") -> str | None:
        """The value that follows the name itself."""
        match = re.search(rf"\b{_label(name)}\b['\"]?\s*(?:{link})\s*({shape})", self.text, re.IGNORECASE)
        return match[1] if match else None

    def _meant(self, name: str) -> str | None:
        """The value from a phrase that such a property usually has."""
        for names, shape in _MEANINGS:
            if re.search(rf"(?:^|_|\b)(?:{names})(?:$|_|\b)", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name), re.IGNORECASE):
                match = re.search(shape, self.text)
                if match:
                    return next(group for group in match.groups() if group is not None)
        return None


def pairs(text: str) -> dict[str, Any]:
    """The pairs that a text holds in the form `key: value` or `key = value`. Without any, the whole text as `answer`."""
    found: dict[str, Any] = {}
    for match in re.finditer(r"(?:^|[,;\n])\s*([A-Za-z][\w -]{0,30}?)\s*[:=]\s*([^,;\n]+)", text[:_READ]):
        raw = match[2].strip()
        found[match[1].strip().lower().replace(" ", "_")] = number_of(raw) if re.fullmatch(_NUMBER, raw) else raw
    return found or {"answer": text.strip()}


def _label(name: str) -> str:
    """A pattern for the name as a person would write it: `firstName`, `first_name` and `first name` are the same."""
    words = re.split(r"[\s_-]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name))
    return r"[ _-]?".join(re.escape(word) for word in words if word) or r"(?!)"


def number_of(raw: str) -> int | float:
    """The number: an int if it is written without a decimal point, otherwise a float."""
    return float(raw) if "." in raw else int(raw)
