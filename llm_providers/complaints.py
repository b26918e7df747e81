"""What a provider's error is about, as far as it says so: money, our key, the model, the request, or something that passes.

Providers agree on neither the shape nor the words. So codes are looked for where one may stand: in `code`, `type`, `status` and `reason`,
and in objects and lists within. Sentences are read only where a status blames the request for what may be the deployment's fault, and only
for phrases that no complaint about a request holds.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from enum import Enum, auto
from typing import Any

_MAX_OBJECTS = 32
"""How many objects and lists of an error are looked into, the outer ones first."""
_MAX_CODE = 200
_MAX_SENTENCE = 300
_CODES = ("code", "type", "status", "status_code", "reason")
_SENTENCES = ("message", "msg", "detail", "error", "error_message")
_INNER = ("error", "errors", "detail", "details", "base_resp")


class About(Enum):
    """What has to change before the same request can succeed."""

    MONEY = auto()
    KEY = auto()
    MODEL = auto()
    PASSING = auto()
    """Nothing: the provider is busy, or has failed itself."""
    REQUEST = auto()


def _pattern(text: str) -> re.Pattern[str]:
    """In any case; `_` stands for whatever parts two words: a blank, a line, or only a capital."""
    return re.compile(text.replace("_", r"[\s_-]?"), re.IGNORECASE | re.DOTALL)


_BY_CODE = (
    (
        About.MONEY,
        _pattern(r".*(?:insufficient_(?:quota|balance|funds)|exceeded_current_quota|billing|payment|arrear|credit(?!ential)).*|402"),
    ),
    (
        About.KEY,
        _pattern(
            r"(?:invalid|incorrect|wrong|expired|missing|revoked|no)_(?:api|access|auth(?:entication|orization)?)(?:_(?:key|token|credentials?))?"
            r"|(?:invalid|expired)_credentials?|api_key_(?:invalid|expired|missing|revoked|not_found|disabled)"
            r"|auth(?:entication|orization)?_(?:error|failed|fails|failure|required)"
            r"|unauthori[sz]ed(?:_error)?|unauthenticated|permission_denied(?:_error)?|permission_error|access_denied|forbidden|40[13]"
        ),
    ),
    (
        About.MODEL,
        _pattern(
            r"(?:model|deployment)_(?:is_)?(?:not_(?:found|exists?|available|supported|allowed)|invalid|unknown|deprecated|decommissioned)(?:_error)?"
            r"|(?:invalid|unknown|unsupported|no_such)_(?:model|deployment)(?:_(?:name|id|error)){0,2}"
        ),
    ),
    (
        About.PASSING,
        _pattern(
            r".*(?:rate_limit|too_many|overload|unavailable|timed?_out|internal|server_error|resource_exhausted|busy).*|4(?:08|09|25|29)|5[0-9][0-9]"
        ),
    ),
    (
        About.REQUEST,
        _pattern(
            r"invalid_(?:request|argument|param(?:eter)?s?|value|type|input|prompt|json|messages?)(?:_error)?|bad_request(?:_error)?"
            r"|context_length_exceeded|(?:unknown|unsupported|missing)_(?:required_)?(?:parameter|value)|request_too_large"
            r"|unprocessable_entity(?:_error)?|validation_error|content_policy_violation|not_found(?:_error)?|4(?:00|04|13|22)"
        ),
    ),
)
"""In the order in which they count, if an error has several codes: what is said of one thing comes before what is said of many."""

_BY_SENTENCE = (
    (
        About.MONEY,
        _pattern(
            r"\bcredit balance is too low|\binsufficient_(?:account_)?(?:credits?|balance|funds|quota)\b"
            r"|\b(?:out of|not enough|no) credits\b|\bexceeded your current quota\b|\bbilling (?:hard )?limit\b"
            r"|\baccount\b[^.]{0,40}\b(?:arrears|overdue|good standing)\b"
        ),
    ),
    (
        About.KEY,
        _pattern(
            r"\b(?:invalid|incorrect|expired|missing|no|bad|wrong|revoked)_api_key\b(?! for (?:the )?(?:tool|function))"
            r"|\bapi_key (?:is |was |has )?(?:been )?(?:not (?:valid|found|provided)|invalid|incorrect|expired|missing|revoked|disabled)\b"
            r"|\bauthentication fail(?:s|ed)\b"
        ),
    ),
    (
        About.MODEL,
        _pattern(
            r"(?:^\W*|[.:!?]\s+|\bthe )(?:(?:requested|specified|given) )?model(?:[ :='\"`]{1,3}[\w./:@-]{1,100}['\"`]?)?_"
            r"(?:has_been_(?:deprecated|decommissioned|removed)"
            r"|(?:(?:is|was|does|could)_)?not_(?:be )?(?:found|exist|available|known|(?:supported|recogni[sz]ed)(?=\W*$|\. )))"
            r"|(?:^\W*|[.:!?]\s+)(?:invalid|incorrect|unknown|unsupported|no such) model(?: name| id)?"
            r"(?:\W*$|\. |\s*[:=`'\"]|_[\w.:/-]*[0-9/][\w.:/-]*\W*$| passed in )"
            r"|\bis not a valid model(?: id| name)?\b"
        ),
    ),
)


def coded(error: Any) -> About | None:
    """What the codes in an error say; None if it has none that is known."""
    codes = [code for place in _places(error) for code in _codes(place)]
    return next((about for about, pattern in _BY_CODE if any(map(pattern.fullmatch, codes))), None)


def phrased(error: Any) -> About | None:
    """What the sentences in an error, or this sentence, say: `MONEY`, `KEY` or `MODEL`; None if they are about something else."""
    sentences = [error] if isinstance(error, str) else [text for place in _places(error) for text in _sentences(place)]
    return next((about for about, pattern in _BY_SENTENCE if any(pattern.search(text[:_MAX_SENTENCE]) for text in sentences)), None)


def _places(error: Any) -> Iterator[Mapping[str, Any]]:
    """The objects of an error, the outer ones first."""
    waiting = deque([error])
    for _ in range(_MAX_OBJECTS):
        if not waiting:
            return
        place = waiting.popleft()
        if isinstance(place, list):
            waiting.extend(place[:_MAX_OBJECTS])
        elif isinstance(place, Mapping):
            yield place
            waiting.extend(inner for name in _INNER if isinstance(inner := place.get(name), Mapping | list))


def _codes(place: Mapping[str, Any]) -> Iterator[str]:
    for name in _CODES:
        value = place.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            code = str(value)[:_MAX_CODE].strip()
            if name in ("code", "type") or " " not in code:  # else it is a sentence
                yield code


def _sentences(place: Mapping[str, Any]) -> Iterator[str]:
    return (text for name in _SENTENCES if isinstance(text := place.get(name), str))
