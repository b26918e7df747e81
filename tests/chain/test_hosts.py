"""Every server refuses requests under a host name that is not its own, so another site's page cannot reach it by DNS rebinding."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.chain import Chain, client_server, demo_llm, saas_api
from tests.support.server import Server


def ask(server: Server, host: str, method: str = "GET", path: str = "/", body: Any = None, **headers: str) -> tuple[int, str]:
    """The status and body of the answer to a request under this host name."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), {"Host": host} | headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def refused(answer: tuple[int, str]) -> bool:
    """Whether this answer refuses the host name."""
    status, body = answer
    return status == 400 and json.loads(body)["error"]["code"] == "invalid_request" and "ALLOWED_HOSTS" in body


def test_a_page_of_another_site_cannot_spend_the_owners_credits(chain: Chain) -> None:
    """A JSON request from a site whose name resolves to our server is refused, and the model is not asked."""
    host = f"evil.example:{chain.client_server.port}"
    json_headers = {"Origin": f"http://{host}", "Content-Type": "application/json"}
    before = chain.provider.stats()["requests"]
    for path in ("/api/chat", "/api/chat/stream"):
        assert refused(ask(chain.client_server, host, "POST", path, {"message": "5 1 1"}, **json_headers))
    assert refused(ask(chain.client_server, host))
    assert chain.provider.stats()["requests"] == before
    assert ask(chain.client_server, f"localhost:{chain.client_server.port}")[0] == 200


def test_every_server_has_names(demo_chain: Chain) -> None:
    """The gateway and the built-in model answer to loopback names and refuse others, health checks included."""
    for server in demo_chain.servers:
        for path in ("/health", "/v1/models"):
            assert refused(ask(server, "evil.example", path=path)), server.module
            assert not refused(ask(server, "localhost", path=path)), server.module


@pytest.mark.parametrize("make", [client_server, saas_api, demo_llm])
def test_allowed_hosts_reaches_every_server(tmp_path: Path, make: Any) -> None:
    """A name in ALLOWED_HOSTS is served, and no warning is printed at the start."""
    env = {"DATA_DIR": str(tmp_path / "data"), "HOST": "0.0.0.0", "ALLOWED_HOSTS": "chat.example.com, *.internal", "LOG_LEVEL": "WARNING"}
    with make(tmp_path / "server", env) as server:
        assert [200, 200] == [ask(server, host, path="/health")[0] for host in ("chat.example.com:443", "saas-api.internal")]
        assert refused(ask(server, "example.com", path="/health"))
        assert server.stderr == ""


@pytest.mark.parametrize("make", [client_server, saas_api, demo_llm])
def test_a_server_on_all_addresses_says_what_to_set(tmp_path: Path, make: Any) -> None:
    """A server on all addresses prints one line at the start and answers only to loopback names until a name is set."""
    env = {"DATA_DIR": str(tmp_path / "data"), "HOST": "0.0.0.0", "LOG_LEVEL": "WARNING"}
    with make(tmp_path / "server", env) as server:
        (line,) = server.stderr.splitlines()
        assert "ALLOWED_HOSTS" in json.loads(line)["message"]
        assert ask(server, "localhost", path="/health")[0] == 200
        assert refused(ask(server, "0.0.0.0", path="/health"))
