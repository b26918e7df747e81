"""The gateway under requests that a machine makes of its OpenAPI document: no fault, and no answer that the document does not name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.chain import Chain
from tests.support.conformance import conforms, operations

NAMES = (
    *("GET /health", "GET /v1/models", "GET /v1/models/{model}", "GET /api/jobs/{job_id}", "GET /api/jobs/{job_id}/costs"),
    *("GET /api/jobs/{job_id}/calls/{call_id}/stream", "POST /api/jobs/{job_id}/calls/{call_id}/cancel"),
    *("POST /api/jobs/create", "POST /api/jobs/create-and-call", "POST /api/jobs/create-and-call-stream", "POST /v1/chat/completions"),
    *("POST /api/jobs/{job_id}/llm-call", "POST /api/jobs/{job_id}/llm-call-stream"),
    *("PATCH /api/jobs/{job_id}/metadata", "POST /api/jobs/{job_id}/complete"),
)


def test_all_operations_are_asked(demo_chain: Chain) -> None:
    """None is left out below."""
    assert sorted(NAMES) == sorted(operations(demo_chain.saas_api.url))


@pytest.mark.parametrize("name", NAMES)
def test_every_request_gets_an_answer_of_the_document(demo_chain: Chain, name: str) -> None:
    """Whatever is sent, by the document or against it."""
    server, team = demo_chain.saas_api, demo_chain.credentials()["SAAS_TEAM_ID"]
    _, job = server.request("POST", "/api/jobs/create", {"team_id": team, "job_type": "test"}, demo_chain.key_header())
    call = {"model": "chat-fast", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
    server.request("POST", f"/api/jobs/{job['job_id']}/llm-call", call, demo_chain.key_header())
    _, record = server.request("GET", f"/api/jobs/{job['job_id']}", headers=demo_chain.key_header())
    ids = {"job_id": job["job_id"], "call_id": record["calls"][0]["call_id"]}

    def amend(case: Any, number: int) -> None:
        if number % 2 and case.path_parameters:
            case.path_parameters.update({key: value for key, value in ids.items() if key in case.path_parameters})
        body: Any = case.body
        if isinstance(body, dict):
            body.update({"team_id": team} if number % 3 and "team_id" in body else {})
            body.update({"model_group": "chat-fast", "max_tokens": 1} if number % 4 == 1 and "messages" in body else {})

    conforms(operations(server.url)[name], server.url, demo_chain.key_header(), amend)
