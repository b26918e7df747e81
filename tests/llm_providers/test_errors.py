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
    """Only `code` and `type` are read, never the message; 402 says it by itself."""
    assert RateLimited is type(for_refusal(Refusal(429, None, error, "")))
    assert OutOfQuota is type(for_refusal(Refusal(402, None, error, "")))
    assert ProviderFault is type(reported(error))


@pytest.mark.parametrize("error", ["insufficient_quota", ["billing"], 402, True])
def test_what_is_no_error_object_is_a_fault(error: Any) -> None:
    """An error in a stream may be anything."""
    assert ProviderFault is type(reported(error))
