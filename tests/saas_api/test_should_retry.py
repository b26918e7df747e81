"""What the OpenAI surface says about asking again: the header and `retryable` agree, and OpenAI's SDK obeys."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import httpx
import openai
import pytest

from tests.saas_api.conftest import Gateway

NEVER = ("status-400", "status-401", "status-402", "status-404", "status-413", "status-422", "out-of-quota")
LATER = ("status-429", "status-500", "status-503")


def said(response: httpx.Response) -> tuple[str, bool]:
    return response.headers["x-should-retry"], response.json()["error"]["retryable"]


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("behaviour", "asked"), [*((name, 1) for name in NEVER), *((name, 2) for name in LATER)])
async def test_what_the_sdk_asks_again(gateway: Gateway, client: httpx.AsyncClient, behaviour: str, asked: int, streamed: bool) -> None:
    """A provider's refusal that no retry mends is asked once, whatever status it has become; the others as often as the SDK may."""
    body = gateway.call(behaviour) | {"stream": streamed}
    assert said(await client.post("/v1/chat/completions", json=body)) == (("true", True) if asked > 1 else ("false", False))
    before = (await asyncio.to_thread(gateway.provider.stats))["requests"]
    key = gateway.credentials["SAAS_VIRTUAL_KEY"]
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=1) as sdk:
        with pytest.raises(openai.APIStatusError):
            await sdk.chat.completions.create(model=behaviour, messages=[{"role": "user", "content": "x"}], stream=streamed)
    ours = 1 if streamed and behaviour == "status-422" else 0  # the gateway asks once more, without its own wish for usage
    assert (await asyncio.to_thread(gateway.provider.stats))["requests"] - before == asked + ours


@pytest.mark.parametrize(
    ("method", "path", "more", "status"),
    [
        pytest.param("POST", "/v1/chat/completions", {"headers": {"Authorization": "Bearer sk-no"}}, 401, id="key"),
        pytest.param("POST", "/v1/chat/completions", {"json": {"model": "nope", "messages": [{"role": "user"}]}}, 404, id="model"),
        pytest.param("POST", "/v1/chat/completions", {"json": {"model": "text", "messages": 1}}, 400, id="field"),
        pytest.param("POST", "/v1/chat/completions", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, id="JSON"),
        pytest.param("POST", "/v1/chat/completions", {"content": b"x" * 21_000_000}, 413, id="length"),
        pytest.param("GET", "/v1/chat/completions", {}, 405, id="method"),
        pytest.param("POST", "/v1/embeddings", {"json": {}}, 404, id="address"),
        pytest.param("GET", "/v1/models/nope", {}, 404, id="unknown model"),
    ],
)
async def test_our_own_refusals_are_final(client: httpx.AsyncClient, method: str, path: str, more: dict[str, Any], status: int) -> None:
    """Whatever is wrong with the request itself."""
    response = await client.request(method, path, **more)
    assert (response.status_code, *said(response)) == (status, "false", False)


async def test_the_header_is_for_errors_of_this_surface(client: httpx.AsyncClient) -> None:
    """It stands on no answer, and on no other route."""
    assert "x-should-retry" not in (await client.get("/v1/models")).headers
    assert "x-should-retry" not in (await client.get("/api/jobs/nope")).headers


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
async def test_the_same_key_gets_the_same_error(gateway: Gateway, client: httpx.AsyncClient, streamed: bool) -> None:
    """With an `Idempotency-Key` a repeated request meets the call that has failed: it is said that asking again does not help."""
    body, key = gateway.call("status-503") | {"stream": streamed}, {"Idempotency-Key": secrets.token_hex(8)}
    for _ in range(2):
        response = await client.post("/v1/chat/completions", json=body, headers=key)
        assert (response.status_code, *said(response)) == (503, "false", False)
