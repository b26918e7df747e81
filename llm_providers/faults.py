"""When a provider says that it has failed: whatever is not an answer is a failure, wherever and however it is told.

Providers tell it with a status, with an event of another name, with an object in place of a chunk, beside the choices, within one, or
by the reason for which the model stopped. All of these are read here, and so are the heartbeats, which look much like them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llm_providers.errors import ProviderError, ProviderFault, reported

_FAILING = (
    *("error", "fail", "exception", "abort", "timeout", "timed_out", "overload", "unavailable"),
    *("quota", "cancel", "terminated", "insufficient"),
)
"""Parts of the names of failures: of finish reasons, events, types and states.

Finish reasons: "error" is OpenRouter's and Mistral's, "abort" vLLM's and SGLang's, "insufficient_system_resource" DeepSeek's,
"network_error" Zhipu's.
"""
_NAMES = ("object", "type", "event", "status", "state")
_CODES = ("code", "status", "status_code", "statuscode", "http_status", "httpstatus")
_COMPLAINTS = ("detail", "details", "message", "msg", "fault", "exception", "title")
"""The fields that say what went wrong, in an object that says nothing else."""
_BEATS = (
    "ping",
    "heartbeat",
    "keepalive",
    "processing",
    "queue",
    "pending",
    "loading",
    "progress",
    "waiting",
    "info",
    "status",
    "chat.completion",
)
"""Parts of the names of what is neither an answer nor a failure."""
_SOUND = {"", "0", "200", "none", "null", "ok", "success", "succeeded", "false"}
_DEEP = 3


def fault_in(value: Mapping[str, Any]) -> ProviderError | None:
    """The failure that this object, a chunk or a whole answer, tells; None if it tells none."""
    for place in _places(value):
        error = place.get("error")
        if error and _says_something(error):
            return reported(error)
        reason = place.get("finish_reason")
        if isinstance(reason, str) and is_failing(reason):
            return ProviderFault("The model provider broke the answer off.")
    fields = {str(name).lower(): field for name, field in value.items()}
    if _is_failure(fields, alone=not (value.get("choices") or value.get("usage"))):
        return reported(value)
    return None


def is_failing(name: str) -> bool:
    """Whether this is the name of a failure: a finish reason, an event, a type."""
    lowered = name.lower()
    return any(part in lowered for part in _FAILING)


def is_chunk(value: Mapping[str, Any]) -> bool:
    """Whether this object belongs to an answer. Heartbeats and news of other kinds do not."""
    return "choices" in value or "usage" in value


def _is_failure(fields: Mapping[str, Any], *, alone: bool) -> bool:
    """Whether an object says so of itself. `alone`: it has neither choices nor usage. The names are in lower case."""
    names = [name.lower() for key in _NAMES if isinstance(name := fields.get(key), str)]
    if any(is_failing(name) for name in names) or any(400 <= (_number(fields.get(key)) or 0) < 600 for key in _CODES):
        return True
    if not alone:
        return False
    inner = fields.get("base_resp")
    return (
        any(key.startswith("err") and _says_something(field) for key, field in fields.items())
        or any(fields.get(key) is False for key in ("ok", "success"))
        or _says_something(fields.get("code"))
        or (isinstance(inner, Mapping) and _says_something(inner.get("status_code")))
        or (not any(beat in name for name in names for beat in _BEATS) and any(_says_something(fields.get(key)) for key in _COMPLAINTS))
    )


def _places(value: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Where an error may stand: in the object itself, in a choice, in what a choice says."""
    yield value
    choices = value.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, Mapping):
            yield choice
            yield from (part for name in ("delta", "message") if isinstance(part := choice.get(name), Mapping))


def _says_something(value: Any, depth: int = 0) -> bool:
    """Whether a field holds more than nothing, zero, or that all is well."""
    if isinstance(value, Mapping | list) and depth < _DEEP:
        return any(_says_something(part, depth + 1) for part in (value.values() if isinstance(value, Mapping) else value))
    if isinstance(value, str | int):
        return str(value).strip().lower() not in _SOUND
    return bool(value)


def _number(value: Any) -> int | None:
    """A code as a number, if it is one."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) == 3:
        return int(value)
    return value if isinstance(value, int) else None
