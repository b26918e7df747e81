"""The two lanes of a request, our own connection and httpx2, behind one interface, and what tests must know of their insides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx2

from hop.connections import Client
from hop.library import LibraryClient, library_client
from tests.support.scripted import Peer, answer

Lane = Client | LibraryClient

LANES: Mapping[str, Callable[[], Lane]] = {"direct": Client, "httpx2": library_client}


def idle_socket(lane: Lane) -> Any:
    """The socket of its only connection."""
    if isinstance(lane, Client):
        (ours,) = lane._open
        assert ours._transport is not None
        return ours._transport.get_extra_info("socket")
    transport = lane._client._transport
    assert isinstance(transport, httpx2.AsyncHTTPTransport)
    (theirs,) = transport._pool.connections
    connection: Any = theirs
    return connection._connection._network_stream.get_extra_info("socket")


def has_no_connection(lane: Lane) -> bool:
    """Whether it has no connection that a request could still use."""
    if isinstance(lane, Client):
        return not lane._open
    transport = lane._client._transport
    assert isinstance(transport, httpx2.AsyncHTTPTransport)
    connections = transport._pool.connections
    return not lane._running and all(connection.is_closed() or connection.has_expired() for connection in connections)


async def echo(peer: Peer) -> None:
    """Answers each request with the last line of itself."""
    while True:
        request = await peer.request()
        await peer.send(answer(request.rpartition(b"\r\n")[2]))


async def ask(client: Lane, url: str, body: bytes = b"x") -> bytes:
    """The answer's body."""
    response = await client.request("POST", url, {}, body, patience_s=5)
    return await response.read_all(10_000)
