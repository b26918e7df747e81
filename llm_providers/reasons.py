"""What a provider says about its own error, made fit for the operator's log: one line, bounded, without keys and tokens.

Strategy. Words may pass, and whatever could be a credential may not: our own key in any place, what is known to announce one (`sk-`,
`Bearer`, `api_key=`), and every long run of letters and digits that is not made of words. Identifiers of requests go with them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from hop.json import read

MAX_CHARACTERS = 500
"""How much of a provider's words is logged."""
_MAX_SCRUBBED = 2000
"""How much of them is looked at: what is hidden makes room for what follows."""
_HIDDEN = "[hidden]"
_SHORTEST_KEY = 4
"""A local server's placeholder may be as short as `x`, which hides nothing."""

_ANNOUNCED = (
    (re.compile(r"(?i)(\b(?:bearer|basic)\s+)[^\s\"',;]+"), rf"\1{_HIDDEN}"),
    (re.compile(r"(?i)(://)[^\s/@]+@"), rf"\1{_HIDDEN}@"),
    (
        re.compile(r"(?i)\b((?:[\w-]*(?:api[-_ ]?key|secret|password|credential)|authorization|token)[\"']?\s*[:=]\s*[\"']?)[^\s\"',;&]+"),
        rf"\1{_HIDDEN}",
    ),
    (re.compile(r"(?i)(?<![a-z0-9])(?:sk|pk|rk|gsk|hf|ghp|xox[a-z])[-_][^\s\"',;]{3,}"), _HIDDEN),
    (re.compile(r"[^\s\"',;]*\*{3}[^\s\"',;]*"), _HIDDEN),  # a key that the provider has masked in part
)
_RUN = re.compile(r"[A-Za-z0-9+/=_.-]{20,}")
_SEPARATORS = re.compile(r"[+/=_.-]+")
_WORD = re.compile(r".{0,6}|[a-z]{1,23}|[A-Z]{1,23}|[0-9]{1,23}|(?:[A-Z][a-z]{2,}){1,4}")
"""A part of a name: short, of one kind, or CapitalWords."""
_TAG = re.compile(r"<[^<>]*>")


def told(body: bytes) -> tuple[Mapping[str, Any], str]:
    """The error in the body of a refused request: as an object, empty if there is none, and in words. It never fails.

    The words are the provider's own: `scrubbed` makes them fit for a log.
    """
    text = body.decode("utf-8", "replace")
    try:
        value = read(text)
    except ValueError:
        return {}, _TAG.sub(" ", text)
    error = _error(value)
    return error, words(error or value)


def words(error: Any) -> str:
    """A provider's error object in words: its message, and its code or type. Anything else as it is."""
    if not isinstance(error, Mapping):
        return error if isinstance(error, str) else "" if error is None else str(error)
    message = next((error[name] for name in ("message", "detail", "error", "msg") if error.get(name)), "")
    kind = next((error[name] for name in ("code", "type", "status") if error.get(name)), "")
    return f"{message} ({kind})" if message and kind else str(message or kind or dict(error) or "")


def scrubbed(text: str, key: str | None = None) -> str:
    """The text on one line, without credentials, and cut after `MAX_CHARACTERS`. `key` is our own at this provider."""
    if len(text) > _MAX_SCRUBBED:
        text = text[:_MAX_SCRUBBED].rpartition(" ")[0]  # half a key would not be known
    text = " ".join("".join(" " if letter.isspace() else letter for letter in text if letter.isspace() or letter.isprintable()).split())
    for secret in () if key is None or len(key) < _SHORTEST_KEY else (key, quote(key, safe="")):
        text = text.replace(secret, _HIDDEN)
    for pattern, replacement in _ANNOUNCED:
        text = pattern.sub(replacement, text)
    text = _RUN.sub(_unless_words, text)
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"


def _error(value: Any) -> Mapping[str, Any]:
    """The error object in one of the shapes in which providers send it."""
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return {}
    error = value.get("error")
    if isinstance(error, dict):
        return error
    return {"message": error} | value if isinstance(error, str) else value


def _unless_words(run: re.Match[str]) -> str:
    parts = _SEPARATORS.split(run.group())
    return run.group() if all(_WORD.fullmatch(part) for part in parts) else _HIDDEN
