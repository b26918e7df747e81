"""Every misbehaviour of a provider: its code, its status, what is kept, what is recorded, and that the next request works."""

from __future__ import annotations

import httpx
import pytest

from bench.script import PROVIDER_DETAIL, expected_text
from tests.saas_api.conftest import Gateway
from tests.support.streams import content_of

FAULTS = [
    ("status-401", "upstream_error", 502, 0),
    ("out-of-quota", "upstream_error", 502, 0),
    ("status-429", "rate_limited", 429, 0),
    ("status-500", "upstream_error", 502, 0),
    ("status-503", "upstream_unavailable", 503, 0),
    ("hang", "upstream_timeout", 504, 0),
    ("stall", "upstream_timeout", 504, 10),
    ("drop", "upstream_truncated", 502, 10),
    ("no-done", "upstream_truncated", 502, 20),
    ("error-frame", "upstream_error", 502, 10),
    ("bad-json", "upstream_protocol", 502, 10),
]


@pytest.mark.parametrize(("behaviour", "code", "status", "chunks"), FAULTS)
async def test_a_fault_in_a_stream(
    gateway: Gateway, client: httpx.AsyncClient, behaviour: str, code: str, status: int, chunks: int
) -> None:
    """The stream keeps what came and ends with `failed`; the call is recorded as failed with what it used; the next call works."""
    async with gateway.stream(gateway.call(behaviour)) as stream:
        raw = await stream.read_all()
    failed = stream.frames[-1]
    assert failed.event == "failed"
    assert stream.complete
    error = failed.json()["error"]
    assert (error["code"], error["hop"]) == (code, "saas_api")
    assert error["request_id"] == stream.headers["x-request-id"]
    assert content_of(stream.frames) == expected_text(chunks)
    assert [frame.id for frame in stream.frames[:-1]] == list(range(len(stream.frames) - 1))
    for secret in (PROVIDER_DETAIL, "Traceback", gateway.credentials["SAAS_VIRTUAL_KEY"]):
        assert secret not in raw.decode()
    job = (await client.get(f"/api/jobs/{stream.headers['x-job-id']}")).json()
    (call,) = job["calls"]
    assert (job["status"], call["status"], call["error_code"]) == ("failed", "failed", code)
    assert (call["usage"]["completion_tokens"], call["estimated"]) == (chunks, True)
    async with gateway.stream(gateway.call()) as after:
        await after.read_all()
    assert content_of(after.frames) == expected_text(20)


@pytest.mark.parametrize(("behaviour", "code", "status", "chunks"), FAULTS)
async def test_a_fault_on_the_openai_surface(
    gateway: Gateway, client: httpx.AsyncClient, behaviour: str, code: str, status: int, chunks: int
) -> None:
    """Before the first chunk it is a status; after it, an error object in the stream, without an event's name."""
    response = await client.post("/v1/chat/completions", json=gateway.call(behaviour) | {"stream": True})
    if chunks == 0:
        assert response.status_code == status
        assert response.json()["error"]["code"] == code
        assert ("retry-after" in response.headers) == (status in (429, 503))
    else:
        assert response.status_code == 200
        assert "event:" not in response.text
        *_, last, end = response.text.split("\n\n")
        assert end == ""
        assert f'"code":"{code}"' in last
        assert "[DONE]" not in response.text


@pytest.mark.parametrize(("behaviour", "code", "status"), [fault[:3] for fault in FAULTS if fault[3] == 0])
async def test_a_fault_without_streaming(client: httpx.AsyncClient, gateway: Gateway, behaviour: str, code: str, status: int) -> None:
    """The whole answer's request gets the status and the envelope."""
    response = await client.post("/api/jobs/create-and-call", json=gateway.call(behaviour))
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert PROVIDER_DETAIL not in response.text


@pytest.mark.parametrize("behaviour", ["crlf", "split", "null-usage"])
async def test_odd_but_legal_providers(gateway: Gateway, behaviour: str) -> None:
    """CRLF, comments, single bytes, null usage and empty choices give the same clean stream as any other."""
    async with gateway.stream(gateway.call(behaviour)) as stream:
        raw = await stream.read_all()
    assert b"\r" not in raw
    assert content_of(stream.frames) == expected_text(20)
    assert stream.frames[-1].data == "[DONE]"


async def test_a_frame_of_two_mebibytes_passes(gateway: Gateway) -> None:
    """One huge delta arrives whole."""
    async with gateway.stream(gateway.call("big-frame")) as stream:
        await stream.read_all()
    assert len(content_of(stream.frames)) == 2 * 1024 * 1024
    assert stream.frames[-1].data == "[DONE]"
