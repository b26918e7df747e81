"""A job's metadata: how it is merged, and how much of it there may be."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from saas_api.jobs import MAX_METADATA_BYTES
from tests.saas_api.conftest import Gateway
from tests.saas_api.test_requests import error

FRAME = len('{"a":""}')


@pytest.fixture
async def job(client: httpx.AsyncClient, gateway: Gateway) -> str:
    """A job without metadata."""
    made = await client.post("/api/jobs/create", json={"team_id": gateway.team_id, "job_type": "chat"})
    return str(made.json()["job_id"])


async def stored(client: httpx.AsyncClient, job: str) -> Any:
    return (await client.get(f"/api/jobs/{job}")).json()["metadata"]


async def test_it_is_taken_up_to_the_limit_and_no_further(client: httpx.AsyncClient, job: str) -> None:
    """The limit counts the bytes of the stored JSON, of all of it; what was there before stays, and there is room again once a key goes."""
    most = {"a": "é" * ((MAX_METADATA_BYTES - FRAME) // 2)}
    assert (await client.patch(f"/api/jobs/{job}/metadata", json={"metadata": most})).status_code == 200
    refused = await client.patch(f"/api/jobs/{job}/metadata", json={"metadata": {"b": 1}})
    assert error(refused) == (413, "too_large")
    assert "65536 bytes" in refused.json()["error"]["message"]
    assert await stored(client, job) == most
    assert (await client.patch(f"/api/jobs/{job}/metadata", json={"metadata": {"a": None, "b": 1}})).json()["metadata"] == {"b": 1}


async def test_patches_do_not_add_up(client: httpx.AsyncClient, job: str) -> None:
    """A client that goes on and on meets the same limit."""
    statuses = [
        (await client.patch(f"/api/jobs/{job}/metadata", json={"metadata": {f"key{number}": "x" * 10_000}})).status_code
        for number in range(10)
    ]
    assert statuses == [200] * 6 + [413] * 4
    assert len(await stored(client, job)) == 6


async def test_it_holds_at_a_job_s_beginning_and_end(client: httpx.AsyncClient, gateway: Gateway, job: str) -> None:
    """However metadata comes in; the job that is refused is not there, and the one that could not be ended goes on."""
    large = {"metadata": {"a": "x" * MAX_METADATA_BYTES}}
    for path in ("/api/jobs/create", "/api/jobs/create-and-call", "/api/jobs/create-and-call-stream"):
        assert error(await client.post(path, json=gateway.call() | large)) == (413, "too_large")
    refused = await client.post(f"/api/jobs/{job}/complete", json={"status": "completed"} | large)
    assert error(refused) == (413, "too_large")
    assert (await client.get(f"/api/jobs/{job}")).json()["status"] == "pending"
    assert (await client.post(f"/api/jobs/{job}/complete", json={"status": "completed"})).status_code == 200


@pytest.mark.parametrize("address", ["/api/jobs/%00", "/api/jobs/job_%00/costs", "/api/jobs/%ED%A0%80", "/api/jobs/x/calls/%00/stream"])
async def test_addresses_that_no_job_can_have(client: httpx.AsyncClient, address: str) -> None:
    """There is nothing there, on any database."""
    assert error(await client.get(address)) == (404, "not_found")
