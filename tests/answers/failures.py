"""Failures that a provider tells in its answer, in a stream or in place of one."""

from __future__ import annotations

import json
from typing import Any

from tests.answers.case import DONE, MESSAGE, ROLE, STOP, USAGE, Case, End, beside, chunk, completion, crlf, data, of, sse_event, stop, t


def fails(name: str, body: bytes, error: str = "upstream_error", text: str = "a", **more: Any) -> Case:
    more = {"finish_reason": None, "usage": None, "first_token": 0 if text else None} | more
    return Case("a failure told in the answer", name, body, text, error=error, **more)


FAILURES = [
    fails("an event named error", t("a") + sse_event("error", b'{"code":500,"message":"engine died"}') + DONE),
    fails("an event named error whose data is a text", t("a") + sse_event("error", b"engine died") + DONE),
    fails("an event named error without data that says anything", t("a") + sse_event("error", b"{}") + DONE),
    fails("an event whose name ends in failed", t("a") + sse_event("response.failed", b'{"id":1}') + DONE),
    fails("an object that calls itself an error", t("a") + beside(object="error", message="boom", code=400) + DONE),
    fails("an object whose type is error", t("a") + beside(type="error", text="overloaded") + DONE),
    fails("an object whose status is failed", t("a") + beside(status="failed", id=1) + DONE),
    fails("an object whose event is error", t("a") + beside(event="error") + DONE),
    fails("error beside an empty list of choices", t("a") + beside(choices=[], error={"message": "x"}) + DONE),
    fails("error beside a choice", t("a") + data({"choices": [{"delta": {"content": "b"}}], "error": {"code": 502}}) + DONE),
    fails("error within a choice", t("a") + chunk({"content": ""}, finish_reason="error", error={"code": 502, "message": "x"}) + DONE),
    fails("error within a choice that has no finish reason", t("a") + chunk({"content": "b"}, error={"code": 1}) + DONE),
    fails("error within a delta", t("a") + chunk({"error": "engine died"}) + DONE),
    fails("error within a message", t("a") + data({"choices": [{"message": {"error": {"message": "x"}}}]}) + DONE),
    fails("error is a text", t("a") + beside(error="engine died") + DONE),
    fails("error is true", t("a") + beside(error=True, message="x") + DONE),
    fails("error is a list", t("a") + beside(error=[{"msg": "x"}]) + DONE),
    fails("FastAPI's detail", t("a") + beside(detail="Internal Server Error") + DONE),
    fails("detail is a list", t("a") + beside(detail=[{"loc": ["body"], "msg": "field required"}]) + DONE),
    fails("message and code", t("a") + beside(code=503, message="busy") + DONE),
    fails("msg and a code that is a text", t("a") + beside(code="InternalError", msg="busy") + DONE),
    fails("errors", t("a") + beside(errors=["x"]) + DONE),
    fails("error_msg", t("a") + beside(error_code=336, error_msg="quota") + DONE),
    fails("base_resp", t("a") + beside(choices=None, base_resp={"status_code": 1004, "status_msg": "login fail"}) + DONE),
    fails("a message beside an empty list of choices", t("a") + beside(choices=[], message="engine died", object="x") + DONE),
    fails("an error as a line of JSON without a field name", t("a") + b'{"error":{"message":"engine died"}}\n\n' + DONE),
    fails("the same with CRLF", crlf(t("a") + b'{"error":{"message":"engine died"}}\n\n' + DONE)),
    fails("an error as JSON that ends the body", t("a") + b'{"error":{"message":"engine died"}}'),
    fails("an error that ends the body without a blank line", t("a") + b'data: {"error":{"message":"x"}}'),
    fails("an error after the finish reason", t("a") + STOP + beside(error={"message": "x"}) + DONE, finish_reason="stop"),
    *(
        fails(f"the finish reason {reason}", t("a") + stop(reason) + USAGE + DONE, finish_reason=reason, usage=(7, 3))
        for reason in (
            "internal_server_error",
            "model_error",
            "exception",
            "service_unavailable",
            "quota_exceeded",
            "abort",
            "network_error",
            "insufficient_system_resource",
            "failed",
            "Error",
            "timeout",
            "cancelled",
        )
    ),
    fails("the finish reason error", t("a") + stop("error") + USAGE + DONE),
    fails("nothing but the end", DONE, "upstream_truncated", text=""),
    fails("nothing at all", b"", "upstream_truncated", text="", end=End.ENDS),
    fails("a role and the end", ROLE + DONE, "upstream_truncated", text=""),
    fails("comments and the end", b": a\n\n: b\n\n" + DONE, "upstream_truncated", text=""),
    fails("heartbeats and the end", beside(type="ping") * 3 + DONE, "upstream_truncated", text=""),
    fails("an error at once", beside(error={"message": "x"}), text=""),
    fails("an error after a role", ROLE + beside(error={"message": "x"}), text=""),
    fails("a page of HTML", b"<html><body>Bad gateway</body></html>", text=""),
    fails("a page of HTML after a chunk", t("a") + b"<!DOCTYPE html>\n<p>502</p>\n\n" + DONE),
    fails("text that is no event", b"Bad gateway", "upstream_truncated", text=""),
    fails("an event named error without data", t("a") + b"event: error\n\n" + DONE),
    fails("a field named error", t("a") + b"error: boom\n\n" + DONE),
    fails("an error over several lines", t("a") + b'{\n "error": {"message": "x"}\n}\n\n' + DONE),
    fails("an error with a blank before it", t("a") + b' {"error": "x"}\n\n' + DONE),
    fails("an error in a list that is no event", t("a") + b'[{"error": "x"}]\n\n' + DONE),
    fails("an error before the first event", b'{"error": {"code": "x"}}\n\n' + DONE, text=""),
    fails("an error between CRLF, and more behind it", crlf(t("a") + b'{"error":"x"}\n\n' + t("b") + STOP + DONE)),
    fails("problem details", t("a") + beside(type="about:blank", title="Service Unavailable", status=503) + DONE),
    fails("a type that ends in error", t("a") + beside(type="overloaded_error", text="busy") + DONE),
    fails("an object of another name", t("a") + beside(object="api_error") + DONE),
    fails("statusCode", t("a") + beside(statusCode=500) + DONE),
    fails("err", t("a") + beside(err="boom") + DONE),
    fails("capitals", t("a") + beside(Message="boom") + DONE),
    fails("success is false", t("a") + beside(success=False, reason="x") + DONE),
    fails("a failed state beside usage", t("a") + beside(status="error", usage={"total_tokens": 1}) + DONE),
    fails(
        "half a chunk that ends like a whole one", t("a") + data(b'{"choices": [{"delta": {"content": "b"}]}') + DONE, "upstream_protocol"
    ),
    fails("a role, usage and the end", ROLE + USAGE + DONE, "upstream_truncated", text="", usage=(7, 3)),
    fails("a chunk that is no JSON", t("a") + data(b"engine died") + DONE, "upstream_protocol"),
    fails("a chunk that is half of one", t("a") + data(b'{"choices":[{"delta":{"content":"b') + DONE, "upstream_protocol"),
    fails("a chunk that is a list", t("a") + data(b"[1]") + DONE, "upstream_protocol"),
    fails("a chunk that is a number", t("a") + data(b"7") + DONE, "upstream_protocol"),
]


JSON_TYPE = ("Content-Type: application/json",)


def whole(name: str, body: bytes, **more: Any) -> Case:
    more = {"text": "ab", "headers": JSON_TYPE} | more
    return Case("JSON in place of a stream", name, body, **more)


def refused(name: str, body: bytes, error: str = "upstream_error", **more: Any) -> Case:
    more = {"text": "", "error": error, "finish_reason": None, "usage": None, "first_token": None} | more
    return whole(name, body, **more)


WHOLE = [
    whole("a chat.completion", completion()),
    whole("a chat.completion that claims to be a stream", completion(), headers=("Content-Type: text/event-stream",)),
    whole("indented", json.dumps(json.loads(completion()), indent=2).encode()),
    whole("after blank lines", b"\n\n  " + completion()),
    whole("after a byte order mark", b"\xef\xbb\xbf" + completion()),
    whole("in a list", b"[" + completion() + b"]"),
    whole("without usage", completion(usage=None), usage=None),
    whole("at its limit", completion(finish_reason="length"), finish_reason="length"),
    whole("reasoning", completion({"content": "ab", "reasoning_content": "so"}), reasoning="so"),
    whole("parts", completion({"content": [of("thinking", thinking="so"), of("text", text="ab")]}), reasoning="so"),
    whole(
        "a tool call",
        completion({"content": None, "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]}, "tool_calls"),
        text="",
        calls=(("f", "{}"),),
        finish_reason="tool_calls",
    ),
    whole("with the length of the body", completion(), headers=(*JSON_TYPE, f"Content-Length: {len(completion())}"), end=End.CLOSES),
    *(whole(f"and then {end.name}", completion(), end=end) for end in (End.CUTS, End.RESETS, End.IS_SILENT)),
    refused("half of one, and then a cut", completion()[:60], "upstream_truncated", end=End.CUTS),
    whole("a second choice that is none", completion(choices=[{"message": MESSAGE, "finish_reason": "stop"}, None])),
    refused("an error", b'{"error": {"message": "x"}}'),
    refused("an error that claims to be a stream", b'{"error": {"message": "x"}}', headers=("Content-Type: text/event-stream",)),
    refused("an object that calls itself an error", b'{"object": "error", "message": "x", "code": 400}'),
    refused("FastAPI's detail", b'{"detail": "Not Found"}'),
    refused("an error in a list", b'[{"error": {"code": 503, "message": "x"}}]'),
    refused("the finish reason error", completion(finish_reason="error")),
    refused("an empty object", b"{}", "upstream_protocol"),
    refused("no choices", completion(choices=[]), "upstream_protocol"),
    refused("no message", completion(choices=[{"finish_reason": "stop"}]), "upstream_protocol"),
    refused("half of one", completion()[:60], "upstream_protocol"),
    refused("an empty list", b"[]", "upstream_protocol"),
]
