"""Where a provider's `api_base` leads: a query stays behind the path, and an IPv6 address is asked like any other, in both lanes."""

from __future__ import annotations

import asyncio
import socket
from typing import Literal

import pytest

from llm_providers import ProviderError, ProviderUnavailable, Target, Transport
from tests.support.scripted import Peer, answer, upstream

MESSAGES = {"messages": [{"role": "user", "content": "hello"}]}


@pytest.mark.parametrize("lane", ["direct", "httpx2"])
@pytest.mark.parametrize(
    ("base", "asked"),
    [
        ("", "/chat/completions"),
        ("/v1/", "/v1/chat/completions"),
        ("/openai/deployments/x?api-version=2024-10-21", "/openai/deployments/x/chat/completions?api-version=2024-10-21"),
        ("?a=b%20c&d=/", "/chat/completions?a=b%20c&d=/"),
    ],
)
async def test_what_is_asked(lane: Literal["direct", "httpx2"], base: str, asked: str) -> None:
    """The request line names the route below the base, streamed or not, and the base's query at its end."""
    heads: list[bytes] = []

    async def script(peer: Peer) -> None:
        heads.append(await peer.request())
        await peer.send(answer(b"{}", b"Connection: close"))

    async with upstream(script) as server, Transport() as transport:
        target = Target("openai", "x", server.url + base, "sk-provider", transport=lane)
        with pytest.raises(ProviderError):
            await transport.complete(target, MESSAGES)
        with pytest.raises(ProviderError):
            await transport.stream(target, MESSAGES, lambda frames, size: None)
    assert [f"POST {asked} HTTP/1.1".encode()] * 2 == [head.partition(b"\r\n")[0] for head in heads]


@pytest.mark.parametrize("lane", ["direct", "httpx2"])
async def test_an_ipv6_address(lane: Literal["direct", "httpx2"]) -> None:
    """The brackets stand in the address and in `Host`, and not where the connection goes."""
    heads: list[bytes] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        heads.append(await peer.request())
        await peer.send(answer(b"{}", b"Connection: close"))
        writer.close()

    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:  # a machine without IPv6, which nothing can be installed for: the address is tried all the same
        async with Transport() as transport:
            with pytest.raises(ProviderUnavailable) as failed:
                await transport.complete(Target("openai", "x", "http://[::1]:9/v1", None, transport=lane), MESSAGES)
        assert "::1" in failed.value.reason
        return
    port = listener.getsockname()[1]
    server = await asyncio.start_server(connected, sock=listener)
    async with server, Transport() as transport:
        with pytest.raises(ProviderError):
            await transport.complete(Target("openai", "x", f"http://[::1]:{port}/v1", None, transport=lane), MESSAGES)
    (head,) = heads
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert b"\r\nhost: [::1]:%d\r\n" % port in head.lower()


def test_a_target_shows_no_secret() -> None:
    """Neither its key nor its query, which may hold one, is in its repr."""
    assert "secret" not in repr(Target("openai", "x", "https://a/v1?key=secret", "secret"))
