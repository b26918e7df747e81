"""What a provider's status means: whose fault it is, whether to ask again, and whether to ask elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from llm_providers import (
    InvalidRequest,
    ModelNotFound,
    OutOfQuota,
    ProviderError,
    ProviderFault,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    Refused,
    Unauthorized,
)
from llm_providers.errors import Refusal, for_refusal, for_status, reported


@pytest.mark.parametrize(
    ("status", "kind", "again", "elsewhere"),
    [
        (400, InvalidRequest, False, False),
        (413, InvalidRequest, False, False),
        (422, InvalidRequest, False, False),
        (401, Unauthorized, False, True),
        (403, Unauthorized, False, True),
        (404, ModelNotFound, False, True),
        (302, Refused, False, True),
        (405, Refused, False, True),
        (410, Refused, False, True),
        (408, ProviderTimeout, True, True),
        (409, ProviderFault, True, True),
        (429, RateLimited, True, True),
        (500, ProviderFault, True, True),
        (503, ProviderUnavailable, True, True),
        (529, ProviderUnavailable, True, True),
    ],
)
def test_a_status_answers_two_questions(status: int, kind: type[ProviderError], again: bool, elsewhere: bool) -> None:
    """A refused key may work elsewhere but not again; an invalid request is invalid everywhere."""
    error = for_status(status, None)
    assert (kind, again, elsewhere) == (type(error), error.again, error.elsewhere)
    assert again is error.to_wire().retryable


OUT_OF_QUOTA = [
    {"type": "insufficient_quota", "code": "insufficient_quota"},
    {"type": "insufficient_quota", "code": 429},
    {"code": "billing_hard_limit_reached"},
    {"type": "billing_error"},
    {"type": "exceeded_current_quota_error"},
    {"code": "InsufficientBalance"},
    {"code": "Arrearage"},
    {"type": "payment_required"},
    {"code": "insufficient credits"},
    {"code": "402"},
    {"code": 402},
    {"status": "insufficient_quota"},
    {"detail": {"code": "insufficient_quota"}},
    {"errors": [{"code": "other"}, {"code": "insufficient_quota"}]},
    {"error": {"error": {"type": "insufficient_quota"}}},
    {"code": 429, "details": [{"@type": "x", "reason": "BILLING_DISABLED"}]},
]
OTHERWISE: list[dict[str, Any]] = [
    {},
    {"type": "requests", "code": "rate_limit_exceeded"},
    {"type": "insufficient_permissions"},
    {"code": "invalid_credentials"},
    {"code": 4021},
    {"code": None, "type": ["billing"]},
    {"message": "Check your plan and billing details: insufficient_quota", "code": "rate_limit_exceeded"},
    {"status": "RESOURCE_EXHAUSTED", "code": 429},
    {"status": "see your billing details", "reason": "no payment yet"},
    {"input": {"code": "insufficient_quota"}, "loc": ["billing"], "code": True},
]


@pytest.mark.parametrize("error", OUT_OF_QUOTA)
@pytest.mark.parametrize("status", [400, 403, 429, 503])
def test_an_account_that_is_used_up_is_no_rate_limit(error: dict[str, Any], status: int) -> None:
    """Waiting does not mend it, whatever status it comes with; another deployment may have money left."""
    for found in (for_refusal(Refusal(status, 1.0, error, "")), reported(error)):
        assert (OutOfQuota, False, True) == (type(found), found.again, found.elsewhere)
        assert (502, None) == (found.to_wire().status, found.to_wire().retry_after)


@pytest.mark.parametrize("error", OTHERWISE)
def test_other_refusals_are_what_their_status_says(error: dict[str, Any]) -> None:
    """Only codes are read, never the message; 402 says it by itself."""
    assert RateLimited is type(for_refusal(Refusal(429, None, error, "")))
    assert OutOfQuota is type(for_refusal(Refusal(402, None, error, "")))
    assert ProviderFault is type(reported(error))


@pytest.mark.parametrize("error", ["insufficient_quota", ["billing"], 402, True])
def test_what_is_no_error_object_is_a_fault(error: Any) -> None:
    """An error in a stream may be anything."""
    assert ProviderFault is type(reported(error))


MISBLAMED: list[tuple[dict[str, Any], type[ProviderError]]] = [
    (
        {"type": "invalid_request_error", "message": "Your credit balance is too low to access the Anthropic API. Please go to Plans."},
        OutOfQuota,
    ),
    ({"message": "Insufficient Balance"}, OutOfQuota),
    ({"message": "You exceeded your current quota, please check your plan."}, OutOfQuota),
    ({"object": "error", "message": "Invalid model: foo", "type": "invalid_model"}, ModelNotFound),
    ({"message": "Model Not Exist", "type": "invalid_request_error", "code": "invalid_request_error"}, ModelNotFound),
    ({"message": "The model `gpt-9` does not exist or you do not have access to it.", "param": "model"}, ModelNotFound),
    ({"message": "foo/bar-1 is not a valid model ID", "code": 400}, ModelNotFound),
    ({"message": "model 'llama9:8b' not found"}, ModelNotFound),
    ({"message": "Invalid model name passed in model=foo. Call `/v1/models`."}, ModelNotFound),
    ({"error": "model not found"}, ModelNotFound),
    ({"message": "The model `old` has been decommissioned and is no longer supported."}, ModelNotFound),
    ({"message": "Incorrect model ID. Please use a listed model."}, ModelNotFound),
    ({"detail": "Unknown model: foo"}, ModelNotFound),
    ({"code": "model_not_found"}, ModelNotFound),
    ({"code": "ModelNotFound"}, ModelNotFound),
    ({"errors": [{"code": "unknown-model"}]}, ModelNotFound),
    (
        {
            "code": 400,
            "message": "API key not valid. Please pass a valid API key.",
            "status": "INVALID_ARGUMENT",
            "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
        },
        Unauthorized,
    ),
    ({"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}, Unauthorized),
    ({"message": "Incorrect API key provided: sk-x."}, Unauthorized),
    ({"message": "x", "type": "authentication_error"}, Unauthorized),
    ({"detail": {"error": {"code": "invalid_api_key"}}}, Unauthorized),
]


@pytest.mark.parametrize(("error", "kind"), MISBLAMED)
@pytest.mark.parametrize("status", [400, 422])
def test_a_refusal_may_blame_the_request_for_the_deployments_fault(error: dict[str, Any], kind: type[ProviderError], status: int) -> None:
    """A model that it does not have, a key that it does not take, an account without money: another deployment may succeed."""
    found = for_refusal(Refusal(status, None, error, ""))
    assert (kind, False, True) == (type(found), found.again, found.elsewhere)
    assert f"status {status}" in str(found)
    again = reported(error)
    assert (False, "upstream_error") == (again.again, again.to_wire().code.code)


@pytest.mark.parametrize(
    "error",
    [
        {"message": "max_tokens is too large for this model", "type": "invalid_request_error"},
        {"message": "max_tokens: 9000 > 8192, which is the maximum allowed number of output tokens for the model x"},
        {"message": "This model's maximum context length is 8192 tokens.", "code": "context_length_exceeded"},
        {"message": "The model does not support image input.", "code": "invalid_value"},
        {"message": "`temperature` is not supported with this model."},
        {"message": "The model `x` is not supported with the parameter logprobs."},
        {"message": "Invalid model parameters: top_k"},
        {"message": "For this model, the tool was not found"},
        {"message": "Tool 'model' not found in tools; the file does not exist."},
        {"message": "Invalid 'messages[0].content': the model `x` does not exist", "param": "messages.[0].content"},
        {"message": "Unrecognized key: api_key"},
        {"message": "Invalid token at position 12"},
        {"message": "tools.0.credit: field required", "code": "missing_required_parameter"},
        {"detail": [{"type": "missing", "loc": ["body", "model"], "msg": "Field required", "input": {"code": "invalid_api_key"}}]},
        {"code": "model_attributes_type"},
        {"message": ["Invalid API key"]},
        {},
    ],
)
def test_a_fault_of_the_request_is_the_callers(error: dict[str, Any]) -> None:
    """It may mention a model, a key or tokens all the same; no other deployment is asked."""
    for status in (400, 413, 422):
        assert InvalidRequest is type(for_refusal(Refusal(status, None, error, "")))


def test_a_body_without_an_object_is_read_for_its_words() -> None:
    """Some servers refuse in plain text."""
    assert ModelNotFound is type(for_refusal(Refusal(400, None, {}, 'model "x" not found, try pulling it first')))
    assert InvalidRequest is type(for_refusal(Refusal(400, None, {}, "max_tokens is too large for this model")))


@pytest.mark.parametrize(
    ("error", "again"),
    [
        *(({"code": status}, False) for status in (400, 401, 403, 404, 413, 422)),
        *(({"code": status}, True) for status in (408, 409, 425, 429, 500, 502, 503, 529)),
        ({"code": "401"}, False),
        ({"status": 404}, False),
        ({"type": "invalid_request_error"}, False),
        ({"type": "BadRequestError", "code": 400}, False),
        ({"code": "model_not_found"}, False),
        ({"code": "invalid_api_key", "type": "server_error"}, False),
        ({"error": {"code": "not_found_error"}}, False),
        ({"status": "INVALID_ARGUMENT"}, False),
        ({"message": "Incorrect API key provided."}, False),
        ({"type": "invalid_request_error", "code": "rate_limit_exceeded"}, True),
        ({"type": "invalid_request_error", "code": 429}, True),
        ({"type": "overloaded_error"}, True),
        ({"type": "server_error", "message": "model not found"}, True),
        ({"code": "api_error", "message": "Something broke."}, True),
        ({"code": 1302}, True),
        ({}, True),
        ("overloaded", True),
        ("invalid api key", False),
    ],
)
def test_an_error_in_an_answer_may_pass_or_not(error: Any, again: bool) -> None:
    """What the same code would mean as a status decides; its own code on the wire is one for all."""
    found = reported(error)
    assert (ProviderFault, again, True) == (type(found), found.again, found.elsewhere)
    wire = found.to_wire()
    assert ("upstream_error", again) == (wire.code.code, wire.retryable)


@pytest.mark.parametrize("levels", [10, 1_000])
@pytest.mark.parametrize("name", ["error", "detail", "errors"])
def test_an_error_of_any_depth_is_looked_into_in_part(name: str, levels: int) -> None:
    """A code near the surface counts, and one far below is never reached."""
    error: Any = {"code": "insufficient_quota"}
    for _ in range(levels):
        error = {name: [error]}
    found = for_refusal(Refusal(429, None, error, ""))
    assert type(found) is (OutOfQuota if levels == 10 else RateLimited)
