"""The fields of a form of the page: `application/x-www-form-urlencoded`, read in slices as long JSON is.

A text in which every character is escaped takes a sixth of a second for each megabyte, whichever parser reads it.
"""

from __future__ import annotations

import asyncio
from urllib.parse import unquote_to_bytes

from starlette.requests import Request

from serving.errors import malformed

MAX_FIELDS = 50
SLICE = 8 * 1024
"""Bytes that are read at once: a millisecond or two, where each character is escaped."""

_MEDIA_TYPE = "application/x-www-form-urlencoded"


async def form_fields(request: Request) -> dict[str, str]:
    """The fields by name, the last one where there are several; none where the body is no such form. Raises WireError INVALID_REQUEST."""
    known: dict[str, str] | None = getattr(request.state, "form_fields", None)
    if known is None:
        known = request.state.form_fields = await _read(request)
    return known


async def _read(request: Request) -> dict[str, str]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _MEDIA_TYPE:
        return {}
    body = await request.body()
    if body.count(b"&") >= MAX_FIELDS:
        raise malformed(f"The form has more than {MAX_FIELDS} fields.")
    fields: dict[str, str] = {}
    for field in filter(None, body.split(b"&")):
        name, _, value = field.partition(b"=")
        try:
            fields[(await _unescaped(name)).decode()] = (await _unescaped(value)).decode()
        except UnicodeDecodeError:
            raise malformed("The form's text is not UTF-8.") from None
    return fields


async def _unescaped(text: bytes) -> bytes:
    text = text.replace(b"+", b" ")
    parts = []
    start = 0
    while start < len(text):
        end = start + SLICE
        if (escape := text.rfind(b"%", max(start, end - 2), end)) > start:
            end = escape  # which is not cut in two
        parts.append(unquote_to_bytes(text[start:end]))
        start = end
        if start < len(text):
            await asyncio.sleep(0)
    return b"".join(parts)
