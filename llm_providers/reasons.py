"""What a provider says about its own error, made fit for the operator's log: one line, bounded, without keys and tokens.

Strategy. Words may pass, and whatever could be a credential may not: our own key in any place, what is known to announce one (`sk-`,
`Bearer`, `api_key=`), and every long run of letters and digits that is not made of words. Identifiers of requests go with them.

A name such as "API key" announces a credential in two ways. Behind `:` or `=` stands one, whatever it looks like. Behind a blank or "is"
stands one or the rest of a sentence, so there only what looks like no word is hidden. All of it takes time in proportion to the text: a
pattern begins where a word begins, or at a fixed word, and never looks back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from itertools import islice
from typing import Any
from urllib.parse import quote, unquote

from hop.json import read

MAX_CHARACTERS = 500
"""How much of a provider's words is logged."""
_MAX_SCRUBBED = 2000
"""How much of them is looked at: what is hidden makes room for what follows."""
_MAX_LEVELS = 8
_MAX_MEMBERS = 50
"""How much of a value that is no text is written: so deep, and so many of each list or object."""
_HIDDEN = "[hidden]"
_ESCAPE = re.compile(r"\\u\{?0{0,4}([0-9a-fA-F]{2})\}?|\\x([0-9a-fA-F]{2})|\\U000000([0-9a-fA-F]{2})")
_SPELLINGS = 3
"""How often escapes within escapes are undone."""
_SHORTEST_SPELT = 12
_SHORTEST_KEY = 4
"""A local server's placeholder may be as short as `x`, which hides nothing."""

_HEADER = re.compile(r"""(?i)(\bauthorization\\?["'`]?\s*[:=]\s*)(?:(\\?(["'`]))(?:(?!\3)[^\r\n])*|[^\r\n]+)""")
"""A header with its credentials, to the line's end or that of its quotation."""
_KNOWN = (
    (re.compile(r"(?i)(\b(?:bearer|basic)\s+)(?!(?:token|auth\w*|realm|scheme)\b)[^\s\"',;]+"), rf"\1{_HIDDEN}"),
    (re.compile(r"(?i)(?<![a-z0-9])(?:sk|pk|rk|gsk|hf|ghp|xox[a-z])[-_][^\s\"',;]{3,}"), _HIDDEN),
    (re.compile(r"(?<![^\s\"',;])[^\s\"',;]*?\*{3}[^\s\"',;]*"), _HIDDEN),  # a key that the provider has masked in part
)
_USER = re.compile(r"(?<![^\s\"'`<>(),;@])([^\s\"'`<>(),;@]+)@(?=[\w\[])(?!sha256:)")

_NAME = re.compile(
    r"""(?ix)
    (?P<clear> (?: (?:api|access|private|secret|account|subscription|shared|master|virtual|auth)[-_ ]?key
        | secret | pass(?:word|wd|phrase|code) | (?<![a-z])pwd | (?<![a-z])pass(?==) | credential(?!s) | bearer[ ]token )
        (?:[-_](?:id|value|[0-9]{1,2}))? s? )(?![a-z])
    | (?:(?<![a-z])|(?-i:(?<=[a-z])(?=[TK]))) (?:(?P<token>token)|(?P<key>key)) (?![a-z])
    """
)
"""What announces a credential. Tokens are also what a text is counted in, and keys are also the names of fields."""
_SAID = "provided|given|supplied|received|sent|used"
_LINK = re.compile(
    rf"""(?ix)
    (?: (?P<strong> \\?["'`]? (?:[ ](?:{_SAID}|value))? \s?(?:=>|[:=])\s? )
      | (?P<weak> \\?["'`]?[ ](?:(?:{_SAID}|value|is|was|of|as)[ ]){{0,2}} )
    ) \\?(?P<quote>["'`])?
    """
)
_VALUE = re.compile(r"[^\s\"'`,;&]+")
_SYMBOLS = re.compile(r"[0-9!@#$%^&*+=~|\\]|[a-z][A-Z]|^.{16}", re.DOTALL)
"""What a word of a sentence does not have."""

_RUN = re.compile(r"[A-Za-z0-9+/=_.-]{20,}")
_UNBROKEN = re.compile(r"[A-Za-z0-9+/=_.-]+")
_SEPARATORS = re.compile(r"[+/=_.-]+")
_WORD = re.compile(r"[A-Za-z]{0,6}|[a-z]{1,23}|[A-Z]{1,23}|[0-9]{1,23}|(?:[A-Z][a-z]{2,}){1,4}")
"""A part of a name: of one kind, short, or CapitalWords. Names without a separator reach 23 letters; keys of letters alone are rare."""
_NUMBERED = re.compile(r"[A-Za-z]{3,7}[0-9]")
_SIZE = re.compile(r"[A-Za-z]?[0-9]{1,4}[Bb]|[0-9]{1,2}x[0-9]{1,3}[Bb]")
_VERSION = re.compile(r"[A-Za-z]{1,7}[0-9]{1,2}(?:[a-z][0-9]{1,2})?|[0-9]{1,4}[A-Za-z]")
"""The parts of a model's name that mix letters and digits: `Qwen3`; `70B`, `8x7B`; `v2`, `4o`, `w4a16`."""
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
        return "" if error is None else _written(error)
    message = next((error[name] for name in ("message", "detail", "error", "msg") if error.get(name)), "")
    kind = next((error[name] for name in ("code", "type", "status") if error.get(name)), "")
    if message and kind:
        return f"{_written(message)} ({_written(kind)})"
    return _written(message or kind or error or "")


def scrubbed(text: str, key: str | None = None) -> str:
    """The text on one line, without credentials, and cut after `MAX_CHARACTERS`. `key` is our own at this provider."""
    if len(text) > _MAX_SCRUBBED:
        text = text[:_MAX_SCRUBBED].rpartition(" ")[0]  # half a key would not be known
    text = _HEADER.sub(rf"\1\2{_HIDDEN}", text)
    text = " ".join("".join(" " if letter.isspace() else letter for letter in text if letter.isspace() or letter.isprintable()).split())
    for secret in () if key is None or len(key) < _SHORTEST_KEY else (key, quote(key, safe="")):
        text = text.replace(secret, _HIDDEN)
    if key is not None and _holds(text, key):
        return _HIDDEN
    for pattern, replacement in _KNOWN:
        text = pattern.sub(replacement, text)
    text = _without_announced(_USER.sub(_without_user, text))
    text = _RUN.sub(_unless_words, text)
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"


def _holds(text: str, key: str) -> bool:
    """Whether the key can be read in the text in another spelling: with blanks or signs between its letters, or as escapes of any kind."""
    letters = _letters(key)
    if len(letters) < _SHORTEST_SPELT:
        return False
    spelt = text
    for _ in range(_SPELLINGS):
        if letters in _letters(spelt):
            return True
        spelt = _ESCAPE.sub(lambda found: chr(int(found[1] or found[2] or found[3], 16)), unescape(unquote(spelt)))
    return letters in _letters(spelt)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower()))


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


def _written(value: Any) -> str:
    """A value in words, of any depth: a text as it is, anything else as Python writes it, in part."""
    return value if isinstance(value, str) else str(_part(value, _MAX_LEVELS))


def _part(value: Any, levels: int) -> Any:
    if isinstance(value, str):
        return value[: _MAX_SCRUBBED + 1]  # more than is looked at, so that its last word is left out there
    if not isinstance(value, Mapping | list):
        return value
    if not levels:
        return "…"
    if isinstance(value, list):
        return [_part(member, levels - 1) for member in value[:_MAX_MEMBERS]]
    return {_part(name, 0): _part(member, levels - 1) for name, member in islice(value.items(), _MAX_MEMBERS)}


def _without_user(found: re.Match[str]) -> str:
    """An address without its user and password; a mailbox, and a path with an @ in it, as they are."""
    scheme, slashes, rest = found[1].rpartition("://")
    if "/" in rest or not (slashes or ":" in rest) or rest.lower().startswith("mailto:"):
        return found[0]
    return f"{scheme}{slashes}{_HIDDEN}@"


def _without_announced(text: str) -> str:
    """The text without what stands behind the names of credentials."""
    shown: list[str] = []
    end = 0
    for name in _NAME.finditer(text):
        if name.start() < end or (link := _LINK.match(text, name.end())) is None:
            continue
        first, last = link.end(), -1
        if link["quote"] and link["strong"]:
            last = text.find(link["quote"], first)
        if last < 0:
            last = value.end() if (value := _VALUE.match(text, first)) else first
        if first < last and _is_credential(name, link, text[first : min(last, first + 200)]):
            shown += (text[end:first], _HIDDEN)
            end = last
    return "".join(shown) + text[end:]


def _is_credential(name: re.Match[str], link: re.Match[str], value: str) -> bool:
    """Whether what stands behind the name is one, and not the next word of a sentence or the name of a field."""
    bare = value.rstrip(".!?:)]}")
    if name["clear"]:
        return bool(link["strong"] or (len(bare) >= 4 and _SYMBOLS.search(bare)))
    if name["token"] and link["strong"]:
        before = name.string[name.start() - 1 : name.start()]
        is_part = before in ("_", "-") or before.isalpha()
        return not (is_part and len(bare) < 8 and bare.isdigit())  # `max_token: 12`
    if name["key"] and "=" in (link["strong"] or ""):
        return True
    return len(bare) >= (4 if link["strong"] else 8) and _UNBROKEN.fullmatch(bare) is not None and not _is_name(bare)


def _unless_words(run: re.Match[str]) -> str:
    return run[0] if _is_name(run[0]) else _HIDDEN


def _is_name(run: str) -> bool:
    """Whether a run is made of words, and has no more versions than words."""
    words = versions = 0
    for part in _SEPARATORS.split(run):
        if _WORD.fullmatch(part):
            words += len(part) > 2 and part.isalpha()
        elif _NUMBERED.fullmatch(part):
            words += 1
        elif _SIZE.fullmatch(part):
            pass
        elif _VERSION.fullmatch(part):
            versions += 1
        else:
            return False
    return versions <= words
