"""What a `Content-Type` says."""

from __future__ import annotations


def is_json(content_type: str | None) -> bool:
    """Whether it says JSON: `application/json`, or `application/…+json` (RFC 6839), whatever its parameters."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
