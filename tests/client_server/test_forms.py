"""`client_server.forms`: the fields of a form, however long, and what is none."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from client_server.forms import MAX_FIELDS, SLICE, form_fields
from tests.support.passes import Passes
from wire.errors import WireError

NAMES = st.text(min_size=1, max_size=5)
WORDS = st.text(max_size=40) | st.sampled_from(["é" * SLICE, "%" * SLICE, "a" * SLICE + "漢&=+ %"])


def form(body: bytes, content_type: str = "application/x-www-form-urlencoded; charset=UTF-8") -> Request:
    """A request with this body."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({"type": "http", "method": "POST", "headers": [(b"content-type", content_type.encode())]}, receive)


@given(st.dictionaries(NAMES, WORDS, max_size=5))
async def test_what_a_browser_sends_is_read(fields: dict[str, str]) -> None:
    """Text of any script and length, and characters that mean something in a form."""
    assert await form_fields(form(urlencode(fields).encode())) == fields


@pytest.mark.parametrize("body", [b"a=%", b"a=%4", b"a=%zz", b"&&a=%&"])
async def test_escapes_that_are_none(body: bytes) -> None:
    """They stand for themselves."""
    assert (await form_fields(form(body)))["a"].startswith("%")


@pytest.mark.parametrize("body", [b"a=%FF", b"%ED%A0%80=a", b"a=\xff", b"&" * 1_000_000, b"a=b&" * MAX_FIELDS])
async def test_what_is_refused(body: bytes) -> None:
    """Text that is not UTF-8, and more fields than any form has."""
    with pytest.raises(WireError, match=r"UTF-8|more than 50 fields"):
        await form_fields(form(body))


async def test_what_is_no_such_form_has_no_fields() -> None:
    """The field that a route needs is then missing."""
    assert await form_fields(form(b"a=b", "multipart/form-data; boundary=a")) == {}


async def test_a_long_form_leaves_the_event_loop_its_turns() -> None:
    """Once for each slice."""
    passes = Passes()
    assert await form_fields(form(b"a=" + b"%C3%A9" * 170_000)) == {"a": "é" * 170_000}
    assert passes.count > 100
    passes.stop()
