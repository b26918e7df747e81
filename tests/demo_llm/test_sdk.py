"""OpenAI's own SDK works against the built-in model."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from openai import APIError, AsyncOpenAI, NotFoundError, RateLimitError
from openai.types.chat import ChatCompletionUserMessageParam
from pydantic import BaseModel

from tests.demo_llm.client import Demo


class Person(BaseModel):
    name: str
    age: int


@pytest.fixture
async def sdk(demo: Demo) -> AsyncIterator[AsyncOpenAI]:
    """A client from the SDK, without retries."""
    async with AsyncOpenAI(base_url=f"{demo.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def user(text: str) -> list[ChatCompletionUserMessageParam]:
    return [{"role": "user", "content": text}]


async def test_a_completion(sdk: AsyncOpenAI) -> None:
    """The SDK finds the text, the finish reason and the usage."""
    completion = await sdk.chat.completions.create(model="demo-fast", messages=user("count to 3"))
    assert completion.choices[0].message.content == "1, 2, 3."
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 6


async def test_a_stream(sdk: AsyncOpenAI) -> None:
    """The SDK iterates over the chunks and finds the usage in the last one."""
    stream = await sdk.chat.completions.create(
        model="demo-fast", messages=user("echo 東京 👩‍🚀"), stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "東京 👩‍🚀"
    assert chunks[-1].usage is not None


async def test_a_parsed_answer(sdk: AsyncOpenAI) -> None:
    """The SDK's helper for typed answers returns an instance of its model."""
    parsed = await sdk.chat.completions.parse(model="demo-fast", messages=user("Ada Lovelace is 36 years old."), response_format=Person)
    assert parsed.choices[0].message.parsed == Person(name="Ada Lovelace", age=36)


async def test_the_models(sdk: AsyncOpenAI) -> None:
    """The SDK can iterate over the list of models."""
    assert "demo-balanced" in [model.id async for model in sdk.models.list()]


async def test_errors(sdk: AsyncOpenAI) -> None:
    """Error statuses and errors in mid-stream become the SDK's own exceptions."""
    with pytest.raises(NotFoundError):
        await sdk.chat.completions.create(model="nothing", messages=user("x"))
    with pytest.raises(RateLimitError):
        await sdk.chat.completions.create(model="demo-fault-status-429", messages=user("x"))
    stream = await sdk.chat.completions.create(model="demo-fault-error-frame", messages=user("count to 20"), stream=True)
    with pytest.raises(APIError):
        [chunk async for chunk in stream]
