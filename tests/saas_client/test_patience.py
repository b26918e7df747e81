"""How long the client waits for a gateway, and when it is told to come back."""

from __future__ import annotations

import asyncio

import pytest

from saas_client import GatewayCut, RateLimited, SaaSError, SaaSLLMClient, _client
from tests.saas_client.peers import peer, user
from tests.support.scripted import Peer, answer, upstream


async def test_a_gateway_that_vanished_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence, before an answer's head or in its body, is a cut in the end, though no connection was closed."""
    monkeypatch.setattr(_client, "PATIENCE_S", 0.05)
    monkeypatch.setattr(_client, "patience_for", lambda: 0.1)

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass

    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{")
        await silent(reader, writer)

    for serve in (silent, half):
        async with peer(serve) as client, asyncio.timeout(5):
            for call in (client.chat(user("x")), client.cancel("job", "call"), client.create_job("test"), client.model_groups()):
                with pytest.raises(GatewayCut):
                    await call


async def test_the_patience_for_a_whole_answer_is_the_callers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway may take as long as its caller allows: longer than other requests, and not a moment longer than that."""
    monkeypatch.setattr(_client, "PATIENCE_S", 0.05)

    async def slow(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()

    async with peer(slow) as client:
        async with SaaSLLMClient(client.api_url, "key", "team", answer_patience_s=30) as patient:
            assert await patient.chat(user("x")) == {}
        async with SaaSLLMClient(client.api_url, "key", "team", answer_patience_s=0.1) as hasty:
            with pytest.raises(GatewayCut):
                await hasty.chat(user("x"))


async def test_an_error_of_another_form_is_still_an_error() -> None:
    """A proxy's own answer becomes an error without details, with its `Retry-After`."""

    async def busy(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 503 X\r\nRetry-After: 7\r\nContent-Length: 6\r\n\r\n<html>")
        await writer.drain()

    async with peer(busy) as client:
        with pytest.raises(SaaSError) as caught:
            await client.chat(user("x"))
    assert (caught.value.status, caught.value.retry_after, caught.value.retryable) == (503, 7.0, True)
    assert "html" not in caught.value.message


async def test_a_rate_limit_says_when_to_come_back() -> None:
    """429 carries the seconds."""
    body = b'{"error": {"type": "x", "code": "rate_limited", "message": "Slow down.", "retryable": true, "request_id": "r"}}'

    async def limited(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 429 X\r\nRetry-After: 3\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()

    async with peer(limited) as client:
        with pytest.raises(RateLimited) as caught:
            await client.chat(user("x"))
    assert (caught.value.retry_after, caught.value.request_id) == (3.0, "r")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (b"Retry-After: 12.5", 12.5),
        (b"retry-after-ms: 1500", 1.5),
        (b"Retry-After: Sun Nov  6 08:49:37 1994\r\nDate: Sun, 06 Nov 1994 08:49:30 GMT", 7.0),
        (b"Retry-After: 99999999999999999999", 3600.0),
        (b"Retry-After: later", None),
    ],
)
async def test_every_form_of_it_is_read(header: bytes, seconds: float | None) -> None:
    """A proxy before the gateway may write it as it likes."""

    async def limited(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 429 X\r\n%b\r\nContent-Length: 0\r\n\r\n" % header)
        await writer.drain()

    async with peer(limited) as client:
        with pytest.raises(SaaSError) as caught:
            await client.chat(user("x"))
    assert caught.value.retry_after == seconds


async def test_an_error_tells_that_its_request_was_sent_twice() -> None:
    """The gateway closed the kept connection, and refused the request on the next: in rare cases it has taken the first."""

    async def script(gateway: Peer) -> None:
        await gateway.request()
        while len(server.peers) > 1:
            await gateway.send(answer(b"{}").replace(b"200", b"503"))
            await gateway.request()
        await gateway.send(answer(b"{}"))
        await gateway.request()

    async with upstream(script) as server, SaaSLLMClient(server.url, "key", "team") as client:
        await client.get_job("job")
        for repeated in (True, False):
            with pytest.raises(SaaSError) as refused:
                await client.get_job("job")
            assert refused.value.repeated is repeated
