"""Answers that end in order, or not, and what comes beside them."""

from __future__ import annotations

from typing import Any

from tests.answers.case import AB, DONE, END, ROLE, STOP, USAGE, Case, End, beside, chunk, data, sse_event, stop, t


def ends(name: str, body: bytes, **more: Any) -> Case:
    return Case("a finished answer, however it ends", name, body, **({"text": "ab"} | more))


ENDINGS = [
    ends("in order", AB + END),
    ends("without usage", AB + STOP + DONE, usage=None),
    ends("the last chunk has one line end", t("a") + chunk({"content": "b"}, finish_reason="stop").rstrip() + b"\n", usage=None),
    ends("the last chunk has no line end", t("a") + chunk({"content": "b"}, finish_reason="stop").rstrip(), usage=None),
    ends("the last chunk has no line end and the body no length", AB + STOP.rstrip(), usage=None, end=End.CLOSES),
    ends("the usage has no line end", AB + STOP + USAGE.rstrip()),
    ends("[DONE] has no line end", AB + STOP + USAGE + b"data: [DONE]"),
    ends("[DONE] has one line end", AB + STOP + USAGE + b"data: [DONE]\n"),
    ends("a blank behind [DONE]", AB + STOP + b"data: [DONE] \n\n", usage=None),
    ends("no blank before [DONE]", AB + STOP + USAGE + b"data:[DONE]\n\n"),
    ends("[DONE] in an event with a name", AB + STOP + USAGE + sse_event("done", b"[DONE]")),
    ends("[DONE] and no finish reason", AB + DONE, finish_reason=None, usage=None),
    ends("usage, [DONE] and no finish reason", AB + USAGE + DONE, finish_reason=None),
    ends("more after [DONE]", AB + END + t("c") + beside(error={"message": "x"})),
    ends("no [DONE]", AB + STOP + USAGE),
    ends("no [DONE] and no length", AB + STOP + USAGE, end=End.CLOSES),
    ends("cut after the finish reason", AB + STOP, usage=None, end=End.CUTS),
    ends("cut after the usage", AB + STOP + USAGE, end=End.CUTS),
    ends("cut within [DONE]", AB + STOP + USAGE + b"data: [DO", end=End.CUTS),
    ends("cut within the usage", AB + STOP + USAGE[:30], usage=None, end=End.CUTS),
    ends("reset after the finish reason", AB + STOP, usage=None, end=End.RESETS),
    ends("garbage after the finish reason", AB + STOP + data(b"engine died"), usage=None),
    ends("silence after the usage", AB + STOP + USAGE, end=End.IS_SILENT),
    ends("silence after the finish reason", AB + STOP, usage=None, end=End.IS_SILENT),
    ends("comments after the finish reason", AB + STOP + USAGE, end=End.COMMENTS),
    ends("the finish reason stands on the last text", t("a") + chunk({"content": "b"}, finish_reason="stop") + USAGE + DONE),
    ends("the finish reason comes twice", AB + STOP + STOP + USAGE + DONE),
    ends("a role after the finish reason", AB + STOP + chunk({"role": "assistant"}, finish_reason=None) + USAGE + DONE),
    ends("an empty answer", ROLE + END, text="", first_token=None),
    ends("a filtered answer", t("a") + stop("content_filter") + USAGE + DONE, text="a", finish_reason="content_filter"),
    ends("an answer at its limit", AB + stop("length") + USAGE + DONE, finish_reason="length"),
    ends("a finish reason that nobody knows", AB + stop("eos_token") + USAGE + DONE, finish_reason="eos_token"),
    *(
        Case(
            "an unfinished answer, however it ends",
            name,
            body,
            "ab",
            error=error,
            finish_reason=None,
            usage=None,
            end=end,
        )
        for name, body, error, end in (
            ("no finish reason", AB, "upstream_truncated", End.ENDS),
            ("no finish reason and no length", AB, "upstream_truncated", End.CLOSES),
            ("cut", AB, "upstream_truncated", End.CUTS),
            ("cut within a chunk", AB + t("c")[:20], "upstream_truncated", End.CUTS),
            ("cut between a chunk's line ends", AB + t("c")[:-20], "upstream_truncated", End.CUTS),
            ("reset", AB, "upstream_truncated", End.RESETS),
            ("an empty finish reason", AB + chunk({}, finish_reason=""), "upstream_truncated", End.ENDS),
            ("a finish reason that is a number", AB + chunk({}, finish_reason=7), "upstream_truncated", End.ENDS),
        )
    ),
]


def heartbeat(name: str, beat: bytes) -> Case:
    return Case("a heartbeat is no chunk", name, beat + t("a") + beat + t("b") + STOP + beat + USAGE + DONE, "ab")


HEARTBEATS = [
    heartbeat("a comment", b": ping\n\n"),
    heartbeat("a comment that says nothing", b":\n\n"),
    heartbeat("a comment alone in its line", b": OPENROUTER PROCESSING\n"),
    heartbeat("an empty event", b"data:\n\n"),
    heartbeat("an empty event with a blank", b"data: \n\n"),
    heartbeat("an event named ping", sse_event("ping", b'{"type": "ping"}')),
    heartbeat("an event named ping without data", b"event: ping\n\n"),
    heartbeat("an event named keepalive with a text", sse_event("keepalive", b"still here")),
    heartbeat("an empty object", data(b"{}")),
    heartbeat("null", data(b"null")),
    heartbeat("a chunk's name and nulls", beside(object="chat.completion.chunk", code=None, error=None)),
    heartbeat("a code that is null", beside(type="ping", code=None)),
    heartbeat("a code that is sound", beside(code="SUCCESS")),
    heartbeat("a message", beside(type="heartbeat", message="keepalive")),
    heartbeat("a message and a sound code", beside(type="ping", message="ok", code=200)),
    heartbeat("news of a queue", beside(status="processing", message="Model is loading")),
    heartbeat("an error of nothing", beside(type="ping", error={"code": 0, "message": ""})),
    heartbeat("a line of JSON that is no event", b'{"queue": 1}\n\n'),
    heartbeat("an object of the type ping", beside(type="ping")),
    heartbeat("an object with a time", beside(heartbeat=1234567)),
    heartbeat("an object whose code is 0", beside(code=0, ok=True)),
    heartbeat("an empty frame with an id", b"id: 7\n\n"),
]
