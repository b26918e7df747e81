"""`serving.serve`: how a server starts, refuses to start, and ends. With real processes."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from serving.hosts import reachable
from tests.support.server import Server

SERVERS = {"saas_api": "SAAS_API_PORT", "client_server": "CLIENT_SERVER_PORT", "demo_llm": "DEMO_LLM_PORT"}


def small(folder: Path, **env: str) -> Server:
    return Server("tests.serving.small_server", folder, port_variable="SMALL_PORT", env={"LOG_LEVEL": "WARNING"} | env)


@pytest.mark.parametrize("module", SERVERS)
def test_a_port_that_is_taken(tmp_path: Path, module: str) -> None:
    """One sentence that names the variables, and exit code 2; the same for each of our servers."""
    server = Server(module, tmp_path, port_variable=SERVERS[module])
    with socket.create_server(("127.0.0.1", server.port)):
        server.launch()
        assert server.wait() == 2
    assert server.stderr == f"HOST and {SERVERS[module]}: 127.0.0.1:{server.port} cannot be listened on: address already in use.\n"


@pytest.mark.parametrize(("host", "why"), [("999.1.1.1", "it is not an address"), ("192.0.2.1", "cannot assign requested address")])
def test_a_host_that_is_not_ours(tmp_path: Path, host: str, why: str) -> None:
    """Something that is not an address, and an address of another machine."""
    server = small(tmp_path, HOST=host)
    server.launch()
    assert server.wait() == 2
    assert server.stderr == f"HOST and SMALL_PORT: {host}:{server.port} cannot be listened on: {why}.\n"


@pytest.mark.parametrize(
    ("trouble", "sentence"), [("refused", "TROUBLE: it was asked for.\n"), ("named", "SMALL_URL: It cannot be opened.\n")]
)
def test_an_app_that_refuses_to_start(tmp_path: Path, trouble: str, sentence: str) -> None:
    """A refusal while the app is opening is told like any other: no stack trace, no log line."""
    server = small(tmp_path, TROUBLE=trouble)
    server.launch()
    assert server.wait() == 2
    assert server.stderr == sentence


def test_an_app_that_breaks_at_its_start(tmp_path: Path) -> None:
    """A mistake of ours is logged with its place, and is no success."""
    server = small(tmp_path, TROUBLE="bug")
    server.launch()
    assert server.wait() == 3
    assert "nobody expects this" in server.stderr
    assert "Traceback" in server.stderr


def test_a_variable_that_is_set_to_nothing(tmp_path: Path) -> None:
    """It counts as not set: the server binds its default address, and not every address of the machine."""
    with small(tmp_path, HOST="", ALLOWED_HOSTS="") as server, pytest.raises(OSError), socket.create_connection(("127.0.0.2", server.port)):
        pass


def test_the_end(tmp_path: Path) -> None:
    """On SIGTERM the app drains first and is closed after that, without a word of complaint."""
    with small(tmp_path) as server:
        server.terminate()
        assert server.stderr == "drained\nclosed\n"


@pytest.mark.parametrize(
    ("bound", "reached"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("fd00::1", "[fd00::1]"), ("10.0.0.7", "10.0.0.7"), ("localhost", "localhost")],
)
def test_how_a_server_is_reached(bound: str, reached: str) -> None:
    """A wildcard is reached on the loopback, and an IPv6 address stands in brackets."""
    assert reachable(bound) == reached
