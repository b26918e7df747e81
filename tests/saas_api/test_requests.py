"""Bad requests get a clear error and lose nothing."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.saas_api.conftest import Gateway
from tests.support.streams import open_stream
from tests.wire.served import until


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


async def test_what_is_not_there_or_not_yours(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """Unknown jobs, calls, groups, teams and addresses are 404."""
    for path in ("/api/jobs/job_none", "/api/jobs/job_none/costs", "/api/jobs/job_none/calls/call_none/stream", "/nowhere"):
        assert error(await client.get(path)) == (404, "not_found")
    assert error(await client.post("/api/jobs/job_none/llm-call", json=gateway.call())) == (404, "not_found")
    assert error(await client.post("/api/jobs/create-and-call", json=gateway.call("no-such-group"))) == (404, "not_found")
    other = gateway.call() | {"team_id": "team_other"}
    assert error(await client.post("/api/jobs/create-and-call-stream", json=other)) == (404, "not_found")
    assert error(await client.delete("/v1/models")) == (405, "method_not_allowed")


async def test_a_body_of_ten_megabytes(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """It is refused with too_large, and the client gets to read that."""
    response = await client.post("/api/jobs/create-and-call", json=gateway.call("text", "x" * 10_000_000))
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
        assert stream.status == 422 or stream.frames[-1].json()["error"]["code"] == "invalid_request"


async def test_the_request_id_passes_through(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """What the client calls a request is its name in the answer and in the gateway's log."""
    response = await client.get("/v1/models", headers={"X-Request-Id": "my-request.1"})
    assert response.headers["x-request-id"] == "my-request.1"
    await until(lambda: '"request_id": "my-request.1"' in gateway.server.stderr)  # which is written behind the answer
