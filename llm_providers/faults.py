"""When a provider says that it has failed: whatever is not an answer is a failure, wherever and however it is told.

Providers tell it with a status, with an event of another name, with an object in place of a chunk, beside the choices, within one, or
by the reason for which the model stopped. All of these are read here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llm_providers.errors import ProviderError, ProviderFault, reported

FAILING_REASONS = frozenset(
    {"abort", "aborted", "canceled", "cancelled", "error", "failed", "failure", "timeout", "overloaded"}
    | {"engine_error", "internal_error", "server_error", "network_error", "insufficient_system_resource", "insufficient_system_resources"}
)
"""The finish reasons that say that the model did not come to an end, in lower case.

"error" is OpenRouter's and Mistral's, "abort" vLLM's and SGLang's, "insufficient_system_resource" DeepSeek's, "network_error" Zhipu's.
"""

_COMPLAINTS = (
    *("detail", "details", "errors", "error_message", "error_msg", "error_code", "error_type"),
    *("exception", "fault", "message", "msg"),
)
"""The fields of an object without choices that say what went wrong."""
_FAILED = ("error", "failed", "failure", "exception")
_SOUND_CODES = (0, 200, "0", "200", "ok", "OK", "success")


def fault_in(value: Mapping[str, Any]) -> ProviderError | None:
    """The failure that this object, a chunk or a whole answer, tells; None if it tells none."""
    for place in _places(value):
        if error := place.get("error"):
            return reported(error)
        reason = place.get("finish_reason")
        if isinstance(reason, str) and is_failing(reason):
            return ProviderFault("The model provider broke the answer off.")
    if value.get("choices") or value.get("usage"):
        return None
    told = (value.get(name) for name in ("object", "type", "event", "status"))
    inner = value.get("base_resp")
    if (
        any(isinstance(word, str) and word.lower() in _FAILED for word in told)
        or any(value.get(name) for name in _COMPLAINTS)
        or value.get("code", 0) not in _SOUND_CODES
        or (isinstance(inner, Mapping) and inner.get("status_code", 0) not in _SOUND_CODES)
    ):
        return reported(value)
    return None


def is_failing(finish_reason: str) -> bool:
    """Whether a model that stops for this reason has failed."""
    return finish_reason.lower() in FAILING_REASONS


def is_fault_event(name: str) -> bool:
    """Whether an event of this name is a failure, whatever its data."""
    return any(word in name.lower() for word in _FAILED)


def is_chunk(value: Mapping[str, Any]) -> bool:
    """Whether this object belongs to an answer. Heartbeats and news of other kinds do not."""
    kind = value.get("object")
    return "choices" in value or "usage" in value or (isinstance(kind, str) and kind.startswith("chat.completion"))


def _places(value: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Where an error may stand: in the object itself, in a choice, in what a choice says."""
    yield value
    choices = value.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, Mapping):
            yield choice
            yield from (part for name in ("delta", "message") if isinstance(part := choice.get(name), Mapping))
