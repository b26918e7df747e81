"""Both servers limit what they read before a request has begun."""

from __future__ import annotations

import http.client

import pytest

from tests.support.chain import Chain


@pytest.mark.parametrize("name", ["saas_api", "client_server"])
def test_a_head_that_is_too_large(chain: Chain, name: str) -> None:
    """A head that is too large gets a 431, and the server goes on serving others."""
    server = getattr(chain, name)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request("GET", "/health", headers={"X-Long": "x" * 70_000})
        assert connection.getresponse().status == 431
    finally:
        connection.close()
    assert server.request("GET", "/health", headers={"X-Long": "x" * 60_000})[0] == 200


@pytest.mark.parametrize("name", ["saas_api", "client_server"])
def test_there_are_no_web_sockets(chain: Chain, name: str) -> None:
    """A WebSocket request cannot get past the edge."""
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    assert getattr(chain, name).request("GET", "/health", headers=upgrade)[0] == 200
    assert getattr(chain, name).request("GET", "/health", headers=upgrade | {"Host": "evil.example"})[0] == 400
