"""The forms that events and text may have."""

from __future__ import annotations

import json
from typing import Any

from tests.answers.case import AB, END, Case, End, crlf, data, t


def form(name: str, body: bytes, text: str = "ab", **more: Any) -> Case:
    return Case("any form of an event stream", name, body, text, **more)


FORMS = [
    form("CRLF", crlf(AB + END)),
    form("CR", crlf(AB + END, b"\r")),
    form("line ends of all kinds", t("a") + crlf(t("b")) + crlf(END, b"\r")),
    form("a byte order mark", b"\xef\xbb\xbf" + AB + END),
    form("no blank behind the colon", (AB + END).replace(b"data: ", b"data:")),
    form("two blanks behind the colon", (AB + END).replace(b"data: ", b"data:  ")),
    form("ids and retry", b"id: 1\nretry: 10\n" + t("a") + b"id: 2\n" + t("b") + END),
    form("the event's name is message", b"event: message\n" + t("a") + t("b") + END),
    form("the event has another name", b"event: chat.completion.chunk\n" + t("a") + b"event: delta\n" + t("b") + END),
    form("data in several lines", b'data: {"choices":\ndata: [{"delta":{"content":"a"}}]}\n\n' + t("b") + END),
    form(
        "indented JSON",
        b"data: " + json.dumps(json.loads(t("a")[6:]), indent=1).replace("\n", "\ndata: ").encode() + b"\n\n" + t("b") + END,
    ),
    form("blanks around the colons of JSON", t("a").replace(b'": ', b'" : ') + t("b") + END),
    form("no blanks in JSON", t("a").replace(b'": ', b'":') + t("b") + END),
    form("many blank lines", t("a") + b"\n\n\n" + t("b") + b"\n\n" + END),
    form("a field that nobody knows", b"x-trace: 1\n" + t("a") + t("b") + END),
    form("a comment before each chunk", b": x\n" + t("a") + b": y\n\n" + t("b") + END),
    form("a comment with JSON in it", b': {"error":"x"}\n\n' + AB + END),
    form("the media type is text/plain", AB + END, headers=("Content-Type: text/plain",)),
    form("no media type", AB + END, headers=()),
    form("the media type is JSON", AB + END, headers=("Content-Type: application/json",)),
    form("the body has no length", AB + END, end=End.CLOSES),
    form(
        "all in one chunk and nulls",
        data({"choices": [{"delta": {"content": "ab", "tool_calls": None, "refusal": None}}], "usage": None}) + END,
    ),
    form("an error of nulls", data({"choices": [{"delta": {"content": "ab"}}], "error": {"code": None, "message": None}}) + END),
    form("an error that is the word null", data({"choices": [{"delta": {"content": "ab"}}], "error": "null"}) + END),
    form("numbers that JSON does not have", data(b'{"choices": [{"delta": {"content": "ab"}, "logprobs": [-Infinity, NaN]}]}') + END),
    form("text about numbers that JSON does not have", t("NaN, Infinity") + END, "NaN, Infinity"),
    form("error is null", data({"choices": [{"delta": {"content": "ab"}}], "error": None}) + END),
    form("error is an empty object", data({"choices": [{"delta": {"content": "ab"}, "error": {}}]}) + END),
    form("the text speaks of errors", t('{"error": "x"}') + END, '{"error": "x"}'),
    form("the text holds line ends", t("a\n\ndata: [DONE]\n\n") + END, "a\n\ndata: [DONE]\n\n"),
]


def encoded(name: str, body: bytes, text: str, **more: Any) -> Case:
    return Case("text is Unicode, whatever the bytes", name, body + END, text, **more)


def raw(text: bytes) -> bytes:
    """A chunk with these bytes as its text."""
    return data(b'{"choices": [{"index": 0, "delta": {"content": "%b"}}]}' % text)


ENCODINGS = [
    encoded("letters of every width", t("aé東😀"), "aé東😀"),
    encoded("escapes", raw(rb"a\u00e9\u6771\ud83d\ude00"), "aé東😀"),
    encoded("a character escaped in two chunks", raw(rb"\ud83d") + raw(rb"\ude00"), "😀"),
    encoded("a byte that is none", raw(b"a\xffb"), "a\ufffdb"),
    encoded("Latin-1", raw("é".encode("latin-1")), "\ufffd"),
    encoded("half a character", raw("é".encode()[:1]) + t("b"), "\ufffdb"),
    encoded("a character cut in two chunks", raw("東".encode()[:2]) + raw("東".encode()[2:]), "\ufffd\ufffd"),
    encoded("a long form of a character", raw(b"\xc0\xaf"), "\ufffd\ufffd"),
    encoded("a surrogate in bytes", raw(b"\xed\xa0\xbd"), "\ufffd\ufffd\ufffd"),
    encoded("beyond the last plane", raw(b"\xf4\x90\x80\x80"), "\ufffd" * 4),
    encoded("a byte that is none, with CRLF", crlf(raw(b"a\xffb")), "a\ufffdb"),
    encoded("a byte that is none, between good chunks", t("é") + raw(b"\xff") + t("é"), "é\ufffdé"),
    encoded("NUL and other controls, escaped", raw(rb"a\u0000\u001b[0m\u007f"), "a\0\x1b[0m\x7f"),
    encoded("line and paragraph separators", t("a\u2028b\u2029"), "a\u2028b\u2029"),
    encoded("marks of direction", t("\u202eabc\u202c"), "\u202eabc\u202c"),
]
