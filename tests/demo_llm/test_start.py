"""How the server starts and ends."""

from __future__ import annotations

import http.client
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.demo_llm.client import Demo
from tests.support.server import ROOT, Server


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEMO_LLM_PORT", "many"),
        ("DEMO_LLM_PORT", "70000"),
        ("LOG_LEVEL", "loud"),
        ("HOST", "999.1.1.1"),
        ("ALLOWED_HOSTS", "chat.example.com:443"),
        ("ROOT_PATH", "chat"),
    ],
)
def test_a_wrong_setting_stops_the_start(name: str, value: str) -> None:
    """A wrong setting gives one sentence that names the variable and exit code 2, without a stack trace."""
    run = subprocess.run(
        [sys.executable, "-m", "demo_llm"], cwd=ROOT, env={"PATH": "", name: value}, capture_output=True, text=True, timeout=30, check=False
    )
    assert run.returncode == 2
    assert name in run.stderr
    assert run.stderr.count("\n") == 1
    assert run.stderr.endswith(".\n")


def test_it_ends_when_told_to(tmp_path: Path) -> None:
    """SIGTERM ends the server cleanly, without an error message."""
    with Server("demo_llm", tmp_path, port_variable="DEMO_LLM_PORT", env={"LOG_LEVEL": "WARNING"}) as server:
        server.terminate()
        assert server.stderr == ""


def test_a_path_prefix(tmp_path: Path) -> None:
    """Under ROOT_PATH the server answers with and without the prefix, and its description names it."""
    with Server("demo_llm", tmp_path, port_variable="DEMO_LLM_PORT", env={"ROOT_PATH": "/v1"}) as server:
        for passed_on in ("", "/v1"):
            status, models = server.request("GET", f"{passed_on}/v1/models")
            assert (status, models["object"]) == (200, "list")
            assert server.request("GET", f"{passed_on}/openapi.json")[1]["servers"] == [{"url": "/v1"}]


def test_a_head_that_is_too_large(demo: Demo) -> None:
    """The size of a request's head is limited, as at the other two servers."""
    with closing(http.client.HTTPConnection("127.0.0.1", demo.server.port, timeout=20)) as connection:
        connection.request("GET", "/health", headers={"X-Long": "x" * 70_000})
        assert connection.getresponse().status == 431
    assert demo.server.request("GET", "/health")[0] == 200
