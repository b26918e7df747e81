"""The middle tier under requests that a machine makes of its OpenAPI document: no fault, and no answer that the document does not name."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.support.chain import Chain
from tests.support.conformance import conforms, operations

NAMES = (
    *("GET /health", "POST /api/chat", "POST /api/chat/stream", "GET /chat/turns/{turn_id}/events", "POST /chat/turns/{turn_id}/stop"),
    *("GET /chat/turns/{turn_id}/timing", "POST /chat/turns/{turn_id}/timing"),
)


def test_all_operations_are_asked(demo_chain: Chain) -> None:
    """None is left out below."""
    assert sorted(NAMES) == sorted(operations(demo_chain.url))


@pytest.mark.parametrize("name", NAMES)
def test_every_request_gets_an_answer_of_the_document(demo_chain: Chain, name: str) -> None:
    """Whatever is sent, by the document or against it, of a turn that is there and of one that is not."""
    made = requests.post(f"{demo_chain.url}/api/chat/stream", json={"message": "hi", "max_tokens": 1}, timeout=20)
    made.close()
    cookie = {"Cookie": f"session={made.cookies['session']}"}

    def amend(case: Any, number: int) -> None:
        if number % 2 and case.path_parameters:
            case.path_parameters["turn_id"] = made.headers["x-turn-id"]
        body: Any = case.body
        if isinstance(body, dict) and ("message" in body or "messages" in body):
            body.update(
                {"model_group": "chat-fast", "max_tokens": 1} if number % 4 == 1 else {"model_group": "none"} if number % 4 == 2 else {}
            )

    conforms(operations(demo_chain.url)[name], demo_chain.url, cookie, amend)
