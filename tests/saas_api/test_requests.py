"""Bad requests get a clear error and lose nothing."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from contextlib import closing
from typing import Any

import httpx
import pytest

from saas_api.auth import REMEMBER_S
from tests.saas_api.conftest import Gateway
from tests.support.served import until
from tests.support.streams import open_stream


def error(response: httpx.Response) -> tuple[int, str]:
    """Status and code, after a look at the envelope."""
    body = response.json()["error"]
    assert set(body) == {"type", "code", "message", "retryable", "request_id"}
    assert body["request_id"] == response.headers["x-request-id"]
    return response.status_code, body["code"]


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer sk-unknown", "Basic abc", "Bearer " + "x" * 5000, "Bearer schlüssel"])
async def test_no_key_no_entry(gateway: Gateway, header: str | None) -> None:
    """No, malformed and unknown keys get invalid_key, on both surfaces."""
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        headers = {} if header is None else {b"Authorization": header.encode()}
        for path in ("/v1/models", "/api/jobs/job_x"):
            response = await client.get(path, headers=headers)
            assert error(response) == (401, "invalid_key")
            assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"messages": []}, 422, "messages"),
        ({"messages": None}, 422, "messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, 422, "messages.0.role"),
        ({"temperature": 3}, 422, "temperature"),
        ({"n": 2}, 422, "n"),
        ({"max_tokens": 0}, 422, "max_tokens"),
        ({"job_type": None}, 422, "job_type"),
    ],
)
async def test_malformed_fields_are_named(
    client: httpx.AsyncClient, gateway: Gateway, change: dict[str, Any], status: int, field: str
) -> None:
    """The message says which field is wrong."""
    for route in ("create-and-call", "create-and-call-stream"):
        response = await client.post(f"/api/jobs/{route}", json=gateway.call() | change)
        assert error(response) == (status, "invalid_request")
        assert field in response.json()["error"]["message"]


async def test_malformed_json(client: httpx.AsyncClient) -> None:
    """Not JSON at all is a 400."""
    for path in ("/api/jobs/create", "/v1/chat/completions"):
        response = await client.post(path, content=b'{"messages": [', headers={"Content-Type": "application/json"})
        assert error(response) == (400, "invalid_request")


DEEP = b"[" * 260 + b"]" * 260


@pytest.mark.parametrize(
    "value", [b'"\\ud800"', b'{"\\ud800": 1}', b"99999999999999999999", DEEP], ids=["text", "name", "number", "levels"]
)
async def test_what_no_hop_could_write_again(client: httpx.AsyncClient, gateway: Gateway, value: bytes) -> None:
    """It is refused before anything is opened, streaming or not; a job that was made stays readable."""
    made = (await client.post("/api/jobs/create", json={"team_id": gateway.team_id, "job_type": "chat"})).json()["job_id"]
    headers = {"Content-Type": "application/json"}
    call = json.dumps(gateway.call()).encode()[:-1]
    for path in (
        "/api/jobs/create-and-call",
        "/api/jobs/create-and-call-stream",
        f"/api/jobs/{made}/llm-call-stream",
        "/v1/chat/completions",
    ):
        response = await client.post(path, content=call + b', "seed_of_ours": ' + value + b"}", headers=headers)
        assert error(response) == (400, "invalid_request")
        assert "surrogate" in response.json()["error"]["message"]
    for method, path in (("POST", "/api/jobs/create"), ("PATCH", f"/api/jobs/{made}/metadata"), ("POST", f"/api/jobs/{made}/complete")):
        body = b'{"team_id": "%b", "job_type": "chat", "status": "completed", "metadata": {"a": %b}}' % (gateway.team_id.encode(), value)
        assert error(await client.request(method, path, content=body, headers=headers)) == (400, "invalid_request")
    job = (await client.get(f"/api/jobs/{made}")).json()
    assert (job["status"], job["calls"]) == ("pending", [])


async def test_as_many_levels_as_are_taken_are_given_back(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """What is stored can be read."""
    deep: Any = 1
    for _ in range(248):
        deep = [deep]
    job = {"team_id": gateway.team_id, "job_type": "chat", "metadata": {"deep": deep}}
    made = (await client.post("/api/jobs/create", json=job)).json()["job_id"]
    assert (await client.get(f"/api/jobs/{made}")).json()["metadata"] == {"deep": deep}
    assert (await client.patch(f"/api/jobs/{made}/metadata", json={"metadata": {"more": 1}})).json()["metadata"] == {
        "deep": deep,
        "more": 1,
    }


async def test_what_is_not_an_object(client: httpx.AsyncClient) -> None:
    """The answer is about the request, and not about our classes."""
    for path in ("/api/jobs/create", "/api/jobs/create-and-call", "/v1/chat/completions"):
        message = (await client.post(path, json=[])).json()["error"]["message"]
        assert message == "body: it must be a JSON object"


async def test_a_slash_too_many(client: httpx.AsyncClient) -> None:
    """There is no such address, and no redirection, which could lead a key and a prompt out of TLS behind a proxy."""
    assert error(await client.post("/api/jobs/create/", json={})) == (404, "not_found")


async def test_a_broken_body_without_a_key(gateway: Gateway) -> None:
    """The key comes first: a stranger learns nothing else."""
    async with httpx.AsyncClient(base_url=gateway.url) as nobody:
        for path in ("/api/jobs/create", "/api/jobs/create-and-call", "/api/jobs/create-and-call-stream", "/v1/chat/completions"):
            assert error(await nobody.post(path, content=b"{", headers={"Content-Type": "application/json"})) == (401, "invalid_key")


@pytest.mark.sqlite
async def test_a_key_is_looked_up_while_something_is_written(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """A database that is locked for writing keeps nobody from stopping a call, or from reading."""
    await asyncio.sleep(REMEMBER_S)  # nobody's key is remembered any more
    with closing(sqlite3.connect(gateway.data_dir / "saas_api.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(client.post("/api/jobs/create", json={"team_id": gateway.team_id, "job_type": "chat"}))
        await asyncio.sleep(REMEMBER_S)  # it knows its key, and waits for the lock
        began = time.monotonic()
        assert (await client.get("/v1/models")).status_code == 200
        assert time.monotonic() - began < 1
        assert not waiting.done()
        other.execute("ROLLBACK")
        assert (await waiting).status_code == 201


async def test_what_is_not_there_or_not_yours(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """Unknown jobs, calls, groups, teams and addresses are 404."""
    for path in ("/api/jobs/job_none", "/api/jobs/job_none/costs", "/api/jobs/job_none/calls/call_none/stream", "/nowhere"):
        assert error(await client.get(path)) == (404, "not_found")
    assert error(await client.post("/api/jobs/job_none/llm-call", json=gateway.call())) == (404, "not_found")
    assert error(await client.post("/api/jobs/create-and-call", json=gateway.call("no-such-group"))) == (404, "not_found")
    other = gateway.call() | {"team_id": "team_other"}
    assert error(await client.post("/api/jobs/create-and-call-stream", json=other)) == (404, "not_found")
    assert error(await client.delete("/v1/models")) == (405, "method_not_allowed")


async def test_a_body_of_thirty_megabytes(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """It is refused with too_large, and the client gets to read that."""
    response = await client.post("/api/jobs/create-and-call", json=gateway.call("text", "x" * 30_000_000))
    assert error(response) == (413, "too_large")


async def test_a_last_event_id_that_is_none(gateway: Gateway) -> None:
    """Only a frame's id will do."""
    async with gateway.stream(gateway.call()) as stream:
        await stream.read_all()
    path = f"{gateway.url}/api/jobs/{stream.headers['x-job-id']}/calls/{stream.headers['x-call-id']}/stream"
    for wrong in ("-1", "abc", "1.5", "9" * 40):
        async with open_stream(path, headers=gateway.key | {"Last-Event-ID": wrong}) as again:
            assert again.status == 400


async def test_every_plane_of_unicode(gateway: Gateway) -> None:
    """Text from every plane, control characters and HTML come back as they went; a lone surrogate is refused, not a crash."""
    text = "".join(chr(plane * 0x10000 + 0x0041) for plane in range(17)) + "\u0000\u2028\u2029\r\n<script>alert(1)</script>"
    async with gateway.stream(gateway.call("echo", text)) as stream:
        await stream.read_all()
    received = "".join(
        frame.json()["choices"][0]["delta"].get("content", "") for frame in stream.frames if frame.is_chunk and frame.json()["choices"]
    )
    assert received == text
    lone = json.dumps(gateway.call("text", "\ud800")).encode()
    async with gateway.stream(lone) as stream:
        await stream.read_all()
        assert stream.status == 400


async def test_the_request_id_passes_through(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """What the client calls a request is its name in the answer and in the gateway's log."""
    response = await client.get("/v1/models", headers={"X-Request-Id": "my-request.1"})
    assert response.headers["x-request-id"] == "my-request.1"
    await until(lambda: '"request_id": "my-request.1"' in gateway.server.stderr)  # which is written behind the answer
