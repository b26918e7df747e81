"""`wire.errors`: the table of codes matches the specification, and an error crosses a hop unchanged."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.errors import ErrorCode, WireError

SPECIFIED = {
    "invalid_request": 400,
    "invalid_key": 401,
    "insufficient_credits": 402,
    "team_suspended": 403,
    "model_not_allowed": 403,
    "not_found": 404,
    "job_finished": 409,
    "job_state": 409,
    "stream_expired": 410,
    "too_large": 413,
    "rate_limited": 429,
    "upstream_error": 502,
    "upstream_truncated": 502,
    "upstream_protocol": 502,
    "interrupted": 502,
    "upstream_unavailable": 503,
    "shutting_down": 503,
    "upstream_timeout": 504,
}
"""Section 4 of the specification."""

OURS = {"csrf": 403, "method_not_allowed": 405, "internal_error": 500}
"""Codes that the specification does not name, but that our servers need."""


def test_the_table_is_the_specifications() -> None:
    """Each code has the status from the tables above, and there are no other codes."""
    assert SPECIFIED | OURS == {member.code: member.status for member in ErrorCode}


def test_only_what_may_pass_is_worth_trying_again() -> None:
    """The caller's faults are not retryable; rate limits and server faults are."""
    expected = {member for member in ErrorCode if member.status == 429 or member.status >= 500}
    assert expected == {member for member in ErrorCode if member.retryable}


@pytest.mark.parametrize("member", ErrorCode, ids=lambda member: member.code)
def test_every_error_crosses_a_hop(member: ErrorCode) -> None:
    """The next server reads the same code, message, request id, hop and `retryable` that one server wrote."""
    sent = WireError(member, "What happened: …", request_id="r-1", hop="saas_api")
    received = WireError.from_dict(json.loads(sent.to_body())["error"])
    assert sent.to_dict() == received.to_dict()
    assert (member, member.status, "What happened: …") == (received.code, received.status, str(received))


def test_the_form_of_an_error() -> None:
    """An error's body holds one object with these fields, and `hop` is among them only if it is known."""
    error = WireError(ErrorCode.RATE_LIMITED, "Too many.", retry_after=2)
    form = {"type": "rate_limit_error", "code": "rate_limited", "message": "Too many.", "retryable": True, "request_id": None}
    assert {"error": form} == json.loads(error.to_body())
    error.hop, error.request_id = "saas_api", "r"
    assert {"error": form | {"hop": "saas_api", "request_id": "r"}} == json.loads(error.to_body())


def test_status_and_retryable_can_differ_from_the_codes_own() -> None:
    """`invalid_request` may be 400 or 422, and a server may override whether a retry makes sense."""
    assert 422 == WireError(ErrorCode.INVALID_REQUEST, "x", status=422).status
    assert WireError(ErrorCode.UPSTREAM_ERROR, "x", retryable=False).retryable is False
    assert WireError.from_dict({"code": "upstream_error", "retryable": False}).retryable is False
    assert 418 == WireError.from_dict({"code": "invalid_key"}, status=418).status


def test_a_code_of_a_newer_peer_is_an_upstream_error() -> None:
    """An unknown code becomes an upstream error, and its message is kept."""
    assert ErrorCode.UPSTREAM_ERROR is ErrorCode.named("from_the_future")
    error = WireError.from_dict({"code": "from_the_future", "message": "New."})
    assert (ErrorCode.UPSTREAM_ERROR, "New.") == (error.code, error.message)


FIELDS = st.sampled_from(["code", "message", "retryable", "request_id", "hop"])


@given(
    error=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(FIELDS, inner, max_size=5),
    )
)
def test_garbage_is_an_error_without_a_detail(error: Any) -> None:
    """An error of unknown form raises nothing and becomes an upstream error that can be passed on."""
    read = WireError.from_dict(error)
    assert isinstance(read.message, str)
    assert isinstance(read.retryable, bool)
    assert read.code.code == json.loads(read.to_body())["error"]["code"]


@given(message=st.text(st.characters(exclude_categories=[])))
def test_any_message_can_be_written(message: str) -> None:
    """A message may quote any text from a caller, even a lone surrogate, without breaking the error response."""
    assert message == json.loads(WireError(ErrorCode.INVALID_REQUEST, message).to_body())["error"]["message"]
