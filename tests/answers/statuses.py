"""What the head of an answer says: its status, its encoding, its error."""

from __future__ import annotations

import json
from typing import Any

from tests.answers.case import AB, END, Case, completion

STREAM = "Content-Type: text/event-stream"
JSON_TYPE = "Content-Type: application/json"


def good(name: str, *headers: str, status: str = "200 OK", body: bytes = AB + END) -> Case:
    return Case("any success that encodes nothing is an answer", name, body, "ab", status=status, headers=headers or (STREAM,))


def refused(name: str, status: str, error: str, body: Any = None, *headers: str) -> Case:
    content = json.dumps(body).encode() if body is not None else b""
    return Case(
        "a status says who is at fault",
        name,
        content,
        error=error,
        finish_reason=None,
        usage=None,
        first_token=None,
        status=status,
        headers=(JSON_TYPE, *headers),
    )


STATUSES = [
    good("201", status="201 Created"),
    good("202", status="202 Accepted"),
    good("206", status="206 Partial Content"),
    good("201 with a whole answer", JSON_TYPE, status="201 Created", body=completion()),
    good("no reason phrase", status="200 "),
    *(good(f"the encoding {name!r}", STREAM, f"Content-Encoding: {name}") for name in ("identity", "", "none", "utf-8", "UTF8", "binary")),
    refused("204", "204 No Content", "upstream_protocol"),
    refused("a compressed answer", "200 OK", "upstream_protocol", {"x": 1}, "Content-Encoding: gzip"),
    refused("400", "400 Bad Request", "invalid_request", {"error": {"message": "x"}}),
    refused("401", "401 Unauthorized", "upstream_error", {"error": {"message": "x", "code": "invalid_api_key"}}),
    refused("402", "402 Payment Required", "upstream_error", {"error": {"message": "x"}}),
    refused("403", "403 Forbidden", "upstream_error"),
    refused("404", "404 Not Found", "upstream_error", {"detail": "Not Found"}),
    refused("413", "413 Too Large", "invalid_request"),
    refused("418", "418 I'm a teapot", "upstream_error"),
    refused("422", "422 Unprocessable", "invalid_request", {"detail": []}),
    refused("429", "429 Too Many", "rate_limited", {"error": {"code": "rate_limit_exceeded"}}, "Retry-After: 2"),
    refused("429 because of money", "429 Too Many", "upstream_error", {"error": {"code": "insufficient_quota"}}),
    refused("500", "500 Oops", "upstream_error"),
    refused("503", "503 Busy", "upstream_unavailable"),
    refused("504", "504 Timeout", "upstream_timeout"),
    refused("529", "529 Overloaded", "upstream_unavailable"),
    refused("a redirect", "302 Found", "upstream_error", None, "Location: http://127.0.0.1:9/"),
    refused("an event stream with an error's status", "500 Oops", "upstream_error", "data: {}\n\n", "Content-Type: text/event-stream"),
]
