"""What a call used: the provider's own counts if they are valid, otherwise an estimate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from wire.records import Usage

MAX_TOKENS = 2**31 - 1
MAX_WORD = 40
_CHARACTERS_PER_TOKEN = 4


def estimate_prompt_tokens(params: Mapping[str, Any]) -> int:
    """Estimates the prompt's tokens, at four characters a token, before the provider has counted them."""
    characters = 0
    for message in params["messages"]:
        content = message.get("content")
        if isinstance(content, str):
            characters += len(content)
        elif isinstance(content, list):
            characters += sum(len(part.get("text") or "") for part in content if isinstance(part.get("text"), str))
    return max(1, -(-characters // _CHARACTERS_PER_TOKEN))


def estimate_completion_tokens(deltas: int, text: str) -> int:
    """Estimates the answer's tokens. Most providers send a token per delta; the length shows which send more."""
    by_length = -(-len(text) // _CHARACTERS_PER_TOKEN)
    return by_length if len(text) > 2 * _CHARACTERS_PER_TOKEN * deltas else deltas


def trusted_usage(usage: Any) -> Usage | None:
    """Returns the provider's usage, or None if its counts are not valid. It is then estimated."""
    if not isinstance(usage, Mapping):
        return None
    counts = (usage.get("prompt_tokens"), usage.get("completion_tokens"))
    if not all(isinstance(count, int) and 0 <= count <= MAX_TOKENS for count in counts):
        return None
    return cast(Usage, dict(usage))


def trusted_text(value: Any) -> str | None:
    """Returns a word of the provider that a record keeps, such as a finish reason."""
    return value if isinstance(value, str) and len(value) <= MAX_WORD else None
