"""The request being served: its id and its trace, which go through every hop and into every log line.

A server's edge sets both. A request to the hop above carries them on, with `outgoing_headers`.
"""

from __future__ import annotations

from contextvars import ContextVar

request_id_var: ContextVar[str | None] = ContextVar("request_id", default=None)
"""`X-Request-Id`: the caller's own, or a new one from the edge."""
traceparent_var: ContextVar[str | None] = ContextVar("traceparent", default=None)
"""`traceparent` (https://www.w3.org/TR/trace-context/): likewise the caller's own or a new one."""


def outgoing_headers() -> dict[str, str]:
    """`X-Request-Id` and `traceparent` of the current request, for the request to the hop above."""
    pairs = (("X-Request-Id", request_id_var.get()), ("traceparent", traceparent_var.get()))
    return {name: value for name, value in pairs if value is not None}
