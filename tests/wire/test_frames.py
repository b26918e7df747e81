"""`wire.frames`: each kind of frame has the form of section 4 of the specification and can be told from the others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.errors import ErrorCode, WireError
from wire.frames import DONE, failed_frame, hop_frame, is_chunk, is_terminal, numbered, payload, prefix, receipt_frame
from wire.sse import Decoder, Event, FrameSplitter, encode

FAILED = failed_frame(WireError(ErrorCode.UPSTREAM_TIMEOUT, "The model fell silent."))
RECEIPT = receipt_frame({"job_id": "j"})
HOP = hop_frame({"hop": "saas_api"})
CHUNK = encode('{"choices":[]}')


def test_the_bytes_of_each_kind() -> None:
    """Named frames carry their JSON on one line without spaces, and an id is always the first line."""
    assert b'event: receipt\ndata: {"job_id":"j"}\n\n' == RECEIPT
    assert b'event: hop\ndata: {"hop":"saas_api"}\n\n' == HOP
    assert b'id: 12\nevent: hop\ndata: {"hop":"saas_api"}\n\n' == numbered(12, HOP)
    assert b'id: 0\ndata: {"choices":[]}\n\n' == numbered(0, CHUNK)
    assert b"data: [DONE]\n\n" == DONE
    assert prefix(12) + HOP == numbered(12, HOP)


def test_a_failed_frame_carries_the_error() -> None:
    """The data of `failed` is the common error form; its event is not named `error`, because a browser uses that for connection errors."""
    assert FAILED.startswith(b"event: failed\ndata: {")
    error = json.loads(payload(FAILED))["error"]
    assert ("upstream_timeout", "The model fell silent.", True) == (error["code"], error["message"], error["retryable"])


@pytest.mark.parametrize(
    ("frame", "terminal"),
    [
        (DONE, True),
        (FAILED, True),
        (CHUNK, False),
        (numbered(3, CHUNK), False),
        (numbered(4, RECEIPT), False),
        (HOP, False),
        (numbered(5, encode("[DONE]")), False),
        (encode('"event: failed"'), False),
        (encode("x", event="failed_over"), False),
    ],
)
def test_tells_what_ends_a_stream(frame: bytes, terminal: bool) -> None:
    """Only `[DONE]` and `failed`, without an id, are terminal; no other frame is, whatever its data."""
    assert terminal == is_terminal(frame)


@pytest.mark.parametrize(
    ("frame", "chunk"),
    [(numbered(0, CHUNK), True), (numbered(10**9, CHUNK), True), (numbered(1, RECEIPT), False), (numbered(2, HOP), False)],
)
def test_tells_a_chunk_from_what_follows_the_chunks(frame: bytes, chunk: bool) -> None:
    """A numbered frame is a chunk if it has no event name."""
    assert chunk == is_chunk(frame)


ANY_TEXT = st.text(st.characters(exclude_categories=[]))
VALUES = st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | ANY_TEXT | st.lists(ANY_TEXT), max_size=4)


@given(value=VALUES, index=st.integers(0, 10**12))
def test_any_value_passes_through_a_frame(value: dict[str, Any], index: int) -> None:
    """Line ends, lone surrogates and `data: ` inside the JSON do not cut the frame or change the value."""
    for frame, event in ((receipt_frame(value), "receipt"), (hop_frame(value), "hop")):
        whole = numbered(index, frame)
        assert [whole] == FrameSplitter().feed(whole)
        assert value == json.loads(payload(whole)) == json.loads(payload(frame))
        assert [Event(payload(whole).decode(), event, str(index))] == Decoder().feed(whole)
