"""A refused request: its body is read for its reason, in part and for a moment, and never stands in the way of the error."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable

import pytest

from hop.door import Transport as Lane
from llm_providers import InvalidRequest, ProviderError, ProviderFault, RateLimited, Target, Transport, transport
from tests.support.scripted import CHUNKED, Peer, answer, chunk, upstream

MESSAGES = {"messages": [{"role": "user", "content": "hi"}]}
KEY = "sk-provider"


@pytest.fixture(params=["direct", "httpx2"])
def lane(request: pytest.FixtureRequest) -> Lane:
    """Each way out."""
    chosen: Lane = request.param
    return chosen


async def refusal(lane: Lane, respond: Callable[[Peer], Awaitable[None]]) -> ProviderError:
    """The error of a streamed request that is answered so."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await respond(peer)

    async with upstream(script) as server, Transport() as opened:
        with pytest.raises(ProviderError) as failed:
            await opened.stream(Target("openai", "m", server.url, KEY, transport=lane), MESSAGES, lambda frames, size: None)
    return failed.value


async def test_the_reason_is_the_providers(lane: Lane) -> None:
    """In its own words, less our key. The error's message is ours."""
    body = json.dumps({"error": {"message": f"{KEY} may not ask\nfor `top_q`", "code": "unknown_parameter"}}).encode()
    error = await refusal(lane, lambda peer: peer.send(b"HTTP/1.1 400 X\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)))
    assert isinstance(error, InvalidRequest)
    assert "[hidden] may not ask for `top_q` (unknown_parameter)" == error.reason
    assert "top_q" not in str(error) + str(error.to_wire().to_dict())


@pytest.mark.parametrize("rest", [b"", b'{"error":', b"{" * 100_000])
async def test_half_a_body_is_no_other_error(lane: Lane, rest: bytes) -> None:
    """A cut in it changes nothing."""
    error = await refusal(lane, lambda peer: peer.send(b"HTTP/1.1 429 X\r\nRetry-After: 4\r\nContent-Length: 999999\r\n\r\n" + rest))
    assert isinstance(error, RateLimited)
    assert 4.0 == error.retry_after


async def test_a_slow_body_is_not_waited_for(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has come of it in time is the reason."""
    monkeypatch.setattr(transport, "REFUSAL_TIMEOUT_S", 0.2)

    async def slow(peer: Peer) -> None:
        await peer.send(CHUNKED.replace(b"200", b"500") + chunk(b"Out of"))
        await peer.gone(within=5)

    async with asyncio.timeout(5):
        error = await refusal(lane, slow)
    assert isinstance(error, ProviderFault)
    assert "Out of" == error.reason


async def test_an_endless_body_is_left(lane: Lane) -> None:
    """Its connection is closed after a few reads."""

    async def endless(peer: Peer) -> None:
        await peer.send(CHUNKED.replace(b"200", b"500"))
        while True:
            await peer.send(chunk(b"word " * 2_000))

    async with asyncio.timeout(5):
        error = await refusal(lane, endless)
    assert error.reason.startswith("word word")
    assert len(error.reason) <= 500


async def test_a_compressed_body_says_nothing(lane: Lane) -> None:
    """Its bytes are no words."""
    body = gzip.compress(b'{"error":{"message":"No."}}')
    head = b"HTTP/1.1 500 X\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert "" == (await refusal(lane, lambda peer: peer.send(head + body))).reason


async def test_a_connection_is_kept_after_a_refusal(lane: Lane) -> None:
    """Its body has been read to the end, so the next request needs no new one."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(answer(b"{}").replace(b"200", b"503"))

    async with upstream(script) as server, Transport() as opened:
        for _ in range(3):
            with pytest.raises(ProviderError):
                await opened.complete(Target("openai", "m", server.url, KEY, transport=lane), MESSAGES)
        assert 1 == len(server.peers)


@pytest.mark.parametrize("streamed", [True, False])
async def test_an_error_within_an_answer_has_its_reason(lane: Lane, streamed: bool) -> None:
    """The same holds for what a provider reports with a success, or in mid-answer."""
    told = json.dumps({"error": {"message": f"{KEY} is out of luck", "type": "server_error"}}).encode()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(b"data: %b\n\n" % told if streamed else told))

    async with upstream(script) as server, Transport() as opened:
        target = Target("openai", "m", server.url, KEY, transport=lane)
        with pytest.raises(ProviderFault) as failed:
            if streamed:
                await opened.stream(target, MESSAGES, lambda frames, size: None)
            else:
                await opened.complete(target, MESSAGES)
    assert "[hidden] is out of luck (server_error)" == failed.value.reason


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(("code", "again"), [(401, False), (429, True)])
async def test_an_error_within_an_answer_says_whether_it_may_pass(lane: Lane, streamed: bool, code: int, again: bool) -> None:
    """A client that is told to try again would meet a refused key each time, whatever the status of the answer."""
    told = b'{"error":{"code":%d,"message":"No."}}' % code

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(b"data: %b\n\n" % told if streamed else told))

    async with upstream(script) as server, Transport() as opened:
        target = Target("openai", "m", server.url, KEY, transport=lane)
        with pytest.raises(ProviderFault) as failed:
            if streamed:
                await opened.stream(target, MESSAGES, lambda frames, size: None)
            else:
                await opened.complete(target, MESSAGES)
    assert (again, "upstream_error") == (failed.value.to_wire().retryable, failed.value.to_wire().code.code)
