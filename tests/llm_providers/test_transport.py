"""Talking to a provider over real sockets: every misbehaviour has its error, and leaving closes the connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from bench.script import PROVIDER_DETAIL, TOOL_ARGUMENTS, expected_text
from llm_providers import (
    ProtocolViolation,
    ProviderError,
    ProviderFault,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    Target,
    Transport,
    Truncated,
    Unauthorized,
)
from tests.support.ports import free_port
from tests.support.provider import Provider
from wire.accumulate import Accumulator
from wire.frames import payload

MESSAGES = {"messages": [{"role": "user", "content": "25 2 5"}]}


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    async with Transport() as opened:
        yield opened


def target(api_base: str, behaviour: str = "text") -> Target:
    return Target("openai", f"bench+{behaviour}", api_base, "sk-provider", timeout_first_token_s=1.0, timeout_idle_s=1.0)


async def read_all(transport: Transport, where: Target) -> tuple[list[bytes], ProviderError | None]:
    """The frames of an answer, and how it failed, if it did."""
    frames: list[bytes] = []
    try:
        await transport.stream(where, MESSAGES, lambda some, size: frames.extend(some))
    except ProviderError as error:
        return frames, error
    return frames, None


def folded(frames: list[bytes]) -> Accumulator:
    accumulator = Accumulator()
    for frame in frames:
        accumulator.add(json.loads(payload(frame)))
    return accumulator


@pytest.mark.parametrize("behaviour", ["text", "crlf", "split", "null-usage"])
async def test_text_arrives_whole(provider: Provider, transport: Transport, behaviour: str) -> None:
    """However the provider writes its frames, the text is the provider's, with finish reason and usage."""
    frames, error = await read_all(transport, target(provider.api_base, behaviour))
    assert error is None
    answer = folded(frames)
    assert answer.content == expected_text(25)
    assert answer.finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage["completion_tokens"] == 25


async def test_tool_arguments_are_the_raw_fragments(provider: Provider, transport: Transport) -> None:
    """Fragments whose later ids are null add up to the arguments as the model wrote them."""
    frames, _ = await read_all(transport, target(provider.api_base, "tools"))
    assert [call.arguments for call in folded(frames).tool_calls.values()] == [TOOL_ARGUMENTS]


@pytest.mark.parametrize(
    ("behaviour", "kind", "again", "chunks"),
    [
        ("status-401", Unauthorized, False, 0),
        ("status-429", RateLimited, True, 0),
        ("status-500", ProviderFault, True, 0),
        ("status-503", ProviderUnavailable, True, 0),
        ("hang", ProviderTimeout, True, 0),
        ("stall", ProviderTimeout, True, 10),
        ("drop", Truncated, True, 10),
        ("no-done", Truncated, True, 25),
        ("error-frame", ProviderFault, True, 10),
        ("bad-json", ProtocolViolation, True, 10),
    ],
)
async def test_each_misbehaviour_has_its_error(
    provider: Provider, transport: Transport, behaviour: str, kind: type[ProviderError], again: bool, chunks: int
) -> None:
    """What came before the fault is kept, the error tells its kind, and the provider's own words are in none of it."""
    frames, error = await read_all(transport, target(provider.api_base, behaviour))
    assert type(error) is kind
    assert error.again is again
    assert PROVIDER_DETAIL not in str(error)
    assert folded(frames).content == expected_text(chunks)
    if behaviour == "status-429":
        assert error.retry_after == 1.0


async def test_a_refused_connection_is_unavailable(transport: Transport) -> None:
    """Nobody listens: the error says so, and that trying again may help."""
    _, error = await read_all(transport, target(f"http://127.0.0.1:{free_port()}/v1"))
    assert type(error) is ProviderUnavailable


async def test_usage_is_asked_for_whatever_the_caller_said(provider: Provider, transport: Transport) -> None:
    """The provider sees include_usage, the model's own name, the key, and the caller's other parameters untouched."""
    params = MESSAGES | {"stream_options": {"include_usage": False}, "temperature": 0.3, "unheard_of": [1]}
    await transport.stream(target(provider.api_base), params, lambda frames, size: None)
    last = provider.stats()["last"]
    assert last["headers"]["authorization"] == "Bearer sk-provider"
    expected = params | {"model": "bench+text", "stream": True, "stream_options": {"include_usage": True}}
    assert last["body"] == expected


async def test_cancelling_closes_the_socket_at_once(provider: Provider, transport: Transport) -> None:
    """The provider sees its reader leave within a fraction of a second, in the middle of an answer."""
    came = asyncio.Event()
    following = asyncio.create_task(transport.stream(target(provider.api_base, "stall"), MESSAGES, lambda frames, size: came.set()))
    await came.wait()
    following.cancel()
    await asyncio.to_thread(provider.wait_for, lambda stats: stats["cancelled"] == 1, 0.2)


async def test_a_sink_that_raises_ends_the_stream(provider: Provider, transport: Transport) -> None:
    """The caller that follows the stream gets what the sink raises, and the provider is stopped."""

    def refuse(frames: list[bytes], size: int) -> None:
        raise LookupError("enough of this")

    with pytest.raises(LookupError):
        await transport.stream(target(provider.api_base, "stall"), MESSAGES, refuse)
    await asyncio.to_thread(provider.wait_for, lambda stats: stats["cancelled"] == 1, 0.2)


async def test_cancelling_the_request_closes_the_socket(provider: Provider, transport: Transport) -> None:
    """A call that is cancelled while it waits for the first byte leaves no connection behind."""
    waiting = asyncio.create_task(transport.stream(target(provider.api_base, "hang"), MESSAGES, lambda frames, size: None))
    await asyncio.to_thread(provider.wait_for, lambda stats: stats["open"] == 1)
    waiting.cancel()
    await asyncio.to_thread(provider.wait_for, lambda stats: stats["open"] == 0, 0.5)


async def test_a_whole_completion(provider: Provider, transport: Transport) -> None:
    """The non-streaming form is the provider's own object."""
    answer, size = await transport.complete(target(provider.api_base), MESSAGES)
    assert answer["choices"][0]["message"]["content"] == expected_text(25)
    assert size > len(expected_text(25))
    assert "stream_options" not in provider.stats()["last"]["body"]


async def test_connections_are_used_again(provider: Provider, transport: Transport) -> None:
    """A stream that was read to its end gives its connection to the next one; one that was cut does not."""
    for behaviour, ports in (("text", 1), ("no-done", 1), ("error-frame", 3)):
        seen = set()
        for _ in range(3):
            await read_all(transport, target(provider.api_base, behaviour))
            seen.add(provider.stats()["last"]["port"])
            await asyncio.sleep(0.05)  # the end of the body may come after the last frame
        assert len(seen) == ports, behaviour
