"""The two lanes of a request, our own connection and httpx2, behind one interface, and what tests must know of their insides."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import httpx2

from hop.connections import Client
from hop.library import LibraryClient, library_client

Lane = Client | LibraryClient

LANES: Mapping[str, Callable[[], Lane]] = {"direct": Client, "httpx2": library_client}


def has_no_connection(lane: Lane) -> bool:
    """Whether it has no connection that a request could still use."""
    if isinstance(lane, Client):
        return not lane._open
    transport = lane._client._transport
    assert isinstance(transport, httpx2.AsyncHTTPTransport)
    connections = transport._pool.connections
    return not lane._running and all(connection.is_closed() or connection.has_expired() for connection in connections)
