"""What chunks say: parts, repetitions, tokens, tool calls and counts."""

from __future__ import annotations

from typing import Any

from tests.answers.case import AB, DONE, END, MESSAGE, ROLE, STOP, TOLD, USAGE, Case, beside, chunk, completion, data, of, stop, t, usage


def parts(name: str, body: bytes, text: str = "ab", **more: Any) -> Case:
    return Case("content may be a list of parts", name, body + END, text, **more)


PARTS = [
    parts("text", t([of("text", text="a"), of("text", text="b")])),
    parts("text, part by part", t([of("text", text="a")]) + t([of("text", text="b")])),
    parts("output_text", t([of("output_text", text="ab")])),
    parts("a bare text", t(["a", "b"])),
    parts("no type", t([{"text": "ab"}])),
    parts("thinking and text", t([of("thinking", thinking="so"), of("text", text="ab")]), reasoning="so"),
    parts("thinking made of parts", t([of("thinking", thinking=[of("text", text="so")])]) + t("ab"), reasoning="so"),
    parts("thinking in its text", t([of("reasoning", text="so")]) + t("ab"), reasoning="so"),
    parts("a refusal", t([of("refusal", refusal="No")]), "", refusal="No"),
    parts("a picture among text", t([of("text", text="a"), of("image_url", image_url={"url": "x"}), of("text", text="b")])),
    parts("null and numbers among text", t([None, 7, of("text", text="ab")])),
    parts("text that is null", t([of("text", text=None)]) + t("ab"), first_token=1),
    parts("an empty list", t([]) + t("ab"), first_token=1),
    parts("an object in place of a list", t({"type": "text", "text": "x"}) + t("ab"), first_token=1),
    parts("a number in place of text", t(7) + t("ab"), first_token=1),
]


def once(name: str, body: bytes, **more: Any) -> Case:
    return Case("what is repeated counts once", name, body, **({"text": "ab"} | more))


ONCE = [
    once("the message beside the last delta", AB + stop(message=MESSAGE) + USAGE + DONE),
    once("the message in place of a delta", AB + data({"choices": [{"message": MESSAGE, "finish_reason": "stop"}]}) + USAGE + DONE),
    once("the message without a finish reason", AB + chunk({}, message=MESSAGE) + END),
    once("the message as a chat.completion", AB + data(completion()) + DONE),
    once("the message is all there is", data({"choices": [{"message": MESSAGE, "finish_reason": "stop"}]}) + USAGE + DONE),
    once(
        "the message beside a role",
        ROLE + chunk({"role": "assistant"}, message=MESSAGE, finish_reason="stop") + USAGE + DONE,
        first_token=1,
    ),
    once("the message beside the only text", chunk({"content": "ab"}, message=MESSAGE) + END),
    once("reasoning under two names", chunk({"reasoning": "so", "reasoning_content": "so"}) + AB + END, reasoning="so"),
    once("reasoning in its details", chunk({"reasoning": "so", "reasoning_details": [of("text", text="so")]}) + AB + END, reasoning="so"),
    once("a second choice", data({"choices": [{"delta": {"content": "ab"}}, {"index": 1, "delta": {"content": "xy"}}]}) + END),
]


def first(name: str, body: bytes, index: int | None, **more: Any) -> Case:
    return Case("the first token carries something", name, body + END, **({"text": "ab"} | more), first_token=index)


FIRST = [
    first("a role", ROLE + AB, 1),
    first("a role whose content is null", chunk({"role": "assistant", "content": None}) + AB, 1),
    first("an empty delta", chunk({}) + AB, 1),
    first("a delta that is null", chunk(None) + AB, 1),
    first("a verdict of a filter", data({"choices": [], "prompt_filter_results": [{"prompt_index": 0}]}) + ROLE + AB, 2),
    first("a verdict in a choice", chunk({}, content_filter_results={"hate": {"filtered": False}}) + AB, 1),
    first("usage", usage(7, 0) + AB, 1),
    first("empty reasoning", chunk({"reasoning_content": ""}) + AB, 1),
    first("reasoning", ROLE + chunk({"reasoning_content": "so"}) + AB, 1, reasoning="so"),
    first("reasoning under the other name", chunk({"role": "assistant", "content": "", "reasoning": "so"}) + AB, 0, reasoning="so"),
    first("a refusal", ROLE + chunk({"refusal": "No"}), 1, text="", refusal="No"),
    first(
        "a tool call",
        ROLE + chunk({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": ""}}]}),
        1,
        text="",
        calls=(("f", ""),),
    ),
    first("an empty list of tool calls", chunk({"tool_calls": []}) + AB, 1),
    first("a blank", t(" ") + t("b"), 0, text=" b"),
]


def call_of(arguments: str | None = None, *, id: str | None = None, name: str | None = None, **more: Any) -> bytes:
    return chunk({"tool_calls": [{"id": id, "function": {"name": name, "arguments": arguments}, **more}]})


def calls(name: str, body: bytes, *found: tuple[str, str], **more: Any) -> Case:
    return Case(
        "tool calls are put together", name, body + stop("tool_calls") + USAGE + DONE, calls=found, finish_reason="tool_calls", **more
    )


CALLS = [
    calls("fragments", call_of("", id="1", name="f", index=0) + call_of('{"a"', index=0) + call_of(":1}", index=0), ("f", '{"a":1}')),
    calls("the older form", chunk({"function_call": {"name": "f"}}) + chunk({"function_call": {"arguments": "{}"}}), ("f", "{}")),
    calls("no index", call_of("{", id="1", name="f") + call_of("}"), ("f", "{}")),
    calls("two without an index", call_of("{}", id="1", name="f") + call_of("{}", id="2", name="g"), ("f", "{}"), ("g", "{}")),
    calls(
        "interleaved",
        call_of("{", name="f", index=0) + call_of("{", name="g", index=1) + call_of("}", index=0) + call_of("}", index=1),
        ("f", "{}"),
        ("g", "{}"),
    ),
    calls(
        "whole in a message",
        data({"choices": [{"message": {"tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]}}]}),
        ("f", "{}"),
    ),
    calls("arguments that are no JSON", call_of("{a", id="1", name="f", index=0), ("f", "{a")),
    calls("text before the call", t("a") + call_of("{}", id="1", name="f", index=0), ("f", "{}"), text="a"),
]


def counted(name: str, body: bytes, tokens: tuple[int, int] | None = (7, 3), **more: Any) -> Case:
    return Case("nothing replaces counts", name, body, "ab", usage=tokens, **more)


COUNTS = [
    counted("an empty object after them", AB + STOP + USAGE + data({"choices": [], "usage": {}}) + DONE),
    counted("null after them", AB + STOP + USAGE + data({"choices": [], "usage": None}) + DONE),
    counted("zeros after them", AB + STOP + USAGE + usage(0, 0, total_tokens=0) + DONE),
    counted("nulls after them", AB + STOP + USAGE + usage(None, None) + DONE),
    counted("half of them first", usage(7, 0) + AB + STOP + usage(0, 3) + DONE, first_token=1),
    counted("growing with each chunk", usage(7, 1) + t("a") + usage(7, 2) + t("b") + STOP + usage(7, 3) + DONE, first_token=1),
    counted(
        "on every chunk",
        data({"choices": [{"delta": {"content": "ab"}}], "usage": TOLD}) + STOP + DONE,
    ),
    counted("in a choice", AB + chunk({}, finish_reason="stop", usage=TOLD) + DONE),
    counted(
        "with the finish reason",
        AB + data({"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": TOLD}) + DONE,
    ),
    counted("without choices", AB + STOP + beside(usage=TOLD) + DONE),
    counted("choices are null", AB + STOP + beside(choices=None, usage=TOLD) + DONE),
    counted("nonsense after them", AB + STOP + USAGE + usage(-1, "n/a") + DONE),
    counted("none", AB + STOP + DONE, None),
    counted("zeros alone", AB + STOP + usage(0, 0) + DONE, None),
    counted("a count below zero", AB + STOP + usage(7, -3) + DONE, None),
    counted("counts that are texts", AB + STOP + usage("7", "3") + DONE, None),
    counted("a count beyond reason", AB + STOP + usage(7, 10**12) + DONE, None),
    counted("one of two", AB + STOP + beside(choices=[], usage={"total_tokens": 10}) + DONE, None),
    counted("a list", AB + STOP + beside(choices=[], usage=[7, 3]) + DONE, None),
]
