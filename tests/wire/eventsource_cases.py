"""The event-stream cases of web-platform-tests, as data: the bytes from the server, and the events that a reader must find in them.

Source: https://github.com/web-platform-tests/wpt, folder `eventsource/`. Each case has the name of its file there (without the ending).
Its bytes are those that the file's server sends. `resources/message.py` adds two line ends after a message, unless told not to,
and then one more. `last-event-id.py`, `last-event-id2.py` and `message2.py` send their own bytes.

Some cases are left out, because they are not about the bytes of one stream: reconnecting (the second half of `format-field-id*`), the wait
that `retry` causes (the number itself is here), and the content type (`format-mime-*`), which is checked before the first byte is read.
"""

from __future__ import annotations

from dataclasses import dataclass

from wire.sse import Event

_LONG = b"x" * 2048
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Case:
    """One stream and what a reader must find in it."""

    name: str
    stream: bytes
    events: tuple[Event, ...]
    last_event_id: str = ""
    retry: int | None = None


CASES = (
    Case(
        "event-data",
        b"data:msg\ndata: msg\n\n:\nfalsefield:msg\n\nfalsefield:msg\nData:data\n\ndata\n\ndata:end\n\n",
        (Event("msg\nmsg"), Event(""), Event("end")),
    ),
    Case("eventsource-onmessage", b"data: data\n\n\n", (Event("data"),)),
    Case("format-bom", _BOM + b"data:1\n\n" + _BOM + b"data:2\n\ndata:3\n\n\n", (Event("1"), Event("3"))),
    Case("format-bom-2", _BOM + _BOM + b"data:1\n\ndata:2\n\ndata:3\n\n\n", (Event("2"), Event("3"))),
    Case(
        "format-comments",
        b"data:1\r:\x00\n:\r\ndata:2\n:" + _LONG + b"\rdata:3\n:data:fail\r:" + _LONG + b"\ndata:4\n\n",
        (Event("1\n2\n3\n4"),),
    ),
    Case("format-data-before-final-empty-line", b"retry:1000\ndata:test1\n\nid:test\ndata:test2\n", (Event("test1"),), retry=1000),
    Case("format-field-data", b"data:\n\ndata\ndata\n\ndata:test\n\n\n", (Event(""), Event("\n"), Event("test"))),
    Case("format-field-event", b"event:test\ndata:x\n\ndata:x\n\n\n", (Event("x", "test"), Event("x"))),
    Case("format-field-event-empty", b"event: \ndata:data\n\n\n", (Event("data"),)),
    Case(
        "format-field-id",
        b"id: \xe2\x80\xa6\nretry: 200\ndata: hello\n\n",
        (Event("hello", id="…"),),
        last_event_id="…",
        retry=200,
    ),
    Case(
        "format-field-id-2",
        b"id: \xe2\x80\xa6\nretry: 200\ndata: hello\n\ndata: \xe2\x80\xa6\n\ndata: \xe2\x80\xa6\n\n",
        (Event("hello", id="…"), Event("…", id="…"), Event("…", id="…")),
        last_event_id="…",
        retry=200,
    ),
    Case("format-field-id-3 (persists)", b"id: 1\ndata: 1\n\ndata:2\n\n", (Event("1", id="1"), Event("2", id="1")), last_event_id="1"),
    Case(
        "format-field-id-3 (changes and persists)",
        b"id: 1\ndata: 1\n\nid: 2\ndata:2\n\ndata:3\n\n",
        (Event("1", id="1"), Event("2", id="2"), Event("3", id="2")),
        last_event_id="2",
    ),
    Case(
        "format-field-id-3 (resets)",
        b"id: 1\ndata: 1\n\nid:\ndata:2\n\ndata:3\n\n",
        (Event("1", id="1"), Event("2"), Event("3")),
    ),
    Case(
        "format-field-id-3 (resets, no colon)",
        b"id: 1\ndata: 1\n\nid\ndata:2\n\ndata:3\n\n",
        (Event("1", id="1"), Event("2"), Event("3")),
    ),
    *(
        Case(f"format-field-id-null ({value!r})", b"id: " + value + b"\nretry: 200\ndata: hello\n\n", (Event("hello"),), retry=200)
        for value in (b"\0\0", b"x\0", b"\0x", b"x\0x", b" \0")
    ),
    Case(
        "format-field-parsing",
        b"data:\x00\ndata:  2\rData:1\ndata\x00:2\ndata:1\r\x00data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n",
        (Event("\0\n 2\n1\n3\n\n4"),),
    ),
    Case("format-field-retry", b"retry:03000\ndata:x\n\n\n", (Event("x"),), retry=3000),
    Case("format-field-retry-bogus", b"retry:3000\nretry:1000x\ndata:x\n\n\n", (Event("x"),), retry=3000),
    Case("format-field-retry-empty", b"retry\ndata:test\n\n\n", (Event("test"),)),
    Case(
        "format-field-unknown",
        b"data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\ndata:test\n\n\n",
        (Event("test\n\ntest"),),
    ),
    Case("format-leading-space", b"data:\ttest\rdata: \ndata:test\n\n\n", (Event("\ttest\n\ntest"),)),
    Case("format-newlines", b"data:test\r\ndata\ndata:test\r\n\r\n", (Event("test\n\ntest"),)),
    Case("format-null-character", b"data:\x00\n\n\n\n\n", (Event("\0"),)),
    Case("format-utf-8", b"data:ok\xe2\x80\xa6\n\n\n", (Event("ok…"),)),
)
