"""The OpenAI surface, as OpenAI's own SDK sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from bench.script import TOOL_ARGUMENTS, expected_text
from tests.saas_api.conftest import Gateway, make


@pytest.fixture
async def sdk(gateway: Gateway) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.credentials["SAAS_VIRTUAL_KEY"], max_retries=0) as client:
        yield client


async def test_streaming_with_the_sdk(sdk: openai.AsyncOpenAI) -> None:
    """The SDK reads the stream to its end; usage comes only where it was asked for."""
    for wanted in (False, True):
        options = {"stream_options": {"include_usage": True}} if wanted else {}
        stream = await sdk.chat.completions.create(  # type: ignore[call-overload]  # the options are built, not literal
            model="null-usage", messages=[{"role": "user", "content": "9 2 2"}], stream=True, **options
        )
        chunks = [chunk async for chunk in stream]
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == expected_text(9)
        usage = [chunk.usage for chunk in chunks if chunk.usage]
        assert [item.completion_tokens for item in usage] == ([9] if wanted else [])


async def test_without_streaming(sdk: openai.AsyncOpenAI) -> None:
    """A chat.completion, with usage."""
    answer = await sdk.chat.completions.create(model="text", messages=[{"role": "user", "content": "9 2 2"}])
    assert answer.choices[0].message.content == expected_text(9)
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 9


async def test_tool_calls(sdk: openai.AsyncOpenAI) -> None:
    """Fragments arrive as the provider wrote them."""
    stream = await sdk.chat.completions.create(model="tools", messages=[{"role": "user", "content": "x"}], stream=True)
    parts = [
        call.function.arguments
        async for chunk in stream
        for choice in chunk.choices
        for call in choice.delta.tool_calls or ()
        if call.function
    ]
    assert "".join(part or "" for part in parts) == TOOL_ARGUMENTS


async def test_errors_are_the_sdks_own(sdk: openai.AsyncOpenAI) -> None:
    """Each status becomes the SDK's class for it, and an error in mid-stream an APIError."""
    message: list[ChatCompletionMessageParam] = [{"role": "user", "content": "x"}]
    for model, kind in (("status-429", openai.RateLimitError), ("status-500", openai.InternalServerError), ("nope", openai.NotFoundError)):
        with pytest.raises(kind):
            await sdk.chat.completions.create(model=model, messages=message, stream=True)
    stream = await sdk.chat.completions.create(model="error-frame", messages=message, stream=True)
    received = ""
    with pytest.raises(openai.APIError):
        async for chunk in stream:
            received += chunk.choices[0].delta.content or ""
    assert received == expected_text(10)
    with pytest.raises(openai.BadRequestError):
        await sdk.chat.completions.create(model="text", messages=message, temperature=9)


async def test_nothing_but_openais_frames(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """No ids, no named events, no comments, no usage key; [DONE] last."""
    body = {"model": "null-usage", "messages": [{"role": "user", "content": "9 2 2"}], "stream": True}
    text = (await client.post("/v1/chat/completions", json=body)).text
    *frames, end = text.split("\n\n")
    assert end == ""
    assert all(frame.startswith("data: ") and "\n" not in frame for frame in frames)
    assert frames[-1] == "data: [DONE]"
    assert '"usage"' not in text


async def test_leaving_cancels_at_once(gateway: Gateway) -> None:
    """There is no way back to a stream of this surface, so its generation ends with its reader."""
    before = (await asyncio.to_thread(gateway.provider.stats))["cancelled"]
    body = {"model": "text", "messages": [{"role": "user", "content": "100 50 0"}], "stream": True}
    async with gateway.stream(body, "/v1/chat/completions") as stream:
        await stream.read_frames(2)
        stream.cut()
    await asyncio.to_thread(gateway.provider.wait_for, lambda stats: stats["cancelled"] > before, 0.5)


async def test_models(sdk: openai.AsyncOpenAI) -> None:
    """The model groups, by their names."""
    names = [model.id async for model in sdk.models.list()]
    assert names[:3] == ["chat-fast", "chat-balanced", "chat-quality"]


async def test_one_model(sdk: openai.AsyncOpenAI) -> None:
    """The same description as in the list; an unknown one is the SDK's own error for that."""
    listed = [model async for model in sdk.models.list()]
    assert [await sdk.models.retrieve(model.id) for model in listed[:3]] == listed[:3]
    for unknown in ("nope", "openai/gpt-4o", "chat-fast/", "%2F", "ü?#"):
        with pytest.raises(openai.NotFoundError) as missing:
            await sdk.models.retrieve(unknown)
        assert (missing.value.code, missing.value.type) == ("not_found", "not_found_error")


@pytest.fixture
def slashes(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway whose model group has slashes in its name, as OpenRouter's models have."""
    own = make(tmp_path)
    models = Path(own.server.env["SAAS_API_MODELS_FILE"])
    models.write_text(models.read_text().replace('name = "text"', 'name = "meta/llama 3/70b"'))
    with own.provider, own.server:
        yield own


async def test_a_model_with_slashes_in_its_name(slashes: Gateway) -> None:
    """It is found whether the client encodes them or not, and answers by this name."""
    async with slashes.client() as client:
        for path in ("/v1/models/meta/llama%203/70b", "/v1/models/meta%2Fllama%203%2F70b"):
            response = await client.get(path)
            assert (response.status_code, response.json()["id"]) == (200, "meta/llama 3/70b")
        body = {"model": "meta/llama 3/70b", "messages": [{"role": "user", "content": "9 2 2"}]}
        answer = (await client.post("/v1/chat/completions", json=body)).json()
    assert answer["choices"][0]["message"]["content"] == expected_text(9)


NOT_OURS: dict[str, Any] = {
    "metadata": {"trace": "x", "nested": {"a": [1, None]}},
    "user": "somebody",
    "user_id": "somebody else",
    "purpose": {"not": "a name"},
    "team_id": "theirs",
    "job_type": 7,
    "store": True,
    "service_tier": "flex",
    "logit_bias": {"50256": -100},
    "prediction": {"type": "content", "content": "x"},
    "safety_identifier": None,
    "model_group_": "not ours either",
}


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
async def test_what_is_not_ours_goes_to_the_provider(client: httpx.AsyncClient, gateway: Gateway, streamed: bool) -> None:
    """Every field but the model's name and the form of the answer is the provider's to understand, as it came."""
    body = {"messages": [{"role": "user", "content": "3 1 1", "name": "n", "unheard": {"of": 1}}]} | NOT_OURS
    response = await client.post("/v1/chat/completions", json=body | {"model": "text", "stream": streamed})
    assert response.status_code == 200
    sent = (await asyncio.to_thread(gateway.provider.stats))["last"]["body"]
    told = {"stream": True, "stream_options": {"include_usage": True}} if streamed else {}
    assert sent == body | {"model": "bench+text"} | told
    (call,) = (await client.get(f"/api/jobs/{response.headers['x-job-id']}")).json()["calls"]
    assert call["purpose"] is None
