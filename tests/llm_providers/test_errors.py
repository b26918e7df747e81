"""What a provider's status means: whose fault it is, whether to ask again, and whether to ask elsewhere."""

from __future__ import annotations

import pytest

from llm_providers import (
    InvalidRequest,
    ModelNotFound,
    ProviderError,
    ProviderFault,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    Unauthorized,
)
from llm_providers.errors import for_status


@pytest.mark.parametrize(
    ("status", "kind", "again", "elsewhere"),
    [
        (400, InvalidRequest, False, False),
        (413, InvalidRequest, False, False),
        (422, InvalidRequest, False, False),
        (401, Unauthorized, False, True),
        (403, Unauthorized, False, True),
        (404, ModelNotFound, False, True),
        (408, ProviderTimeout, True, True),
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
