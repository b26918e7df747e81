"""The built-in model as a real process, shared by this package's tests: it keeps nothing between requests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.demo_llm.client import Demo
from tests.support.server import Server


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The running server, and a client of it."""
    with Server("demo_llm", tmp_path_factory.mktemp("demo_llm"), port_variable="DEMO_LLM_PORT") as server:
        yield Demo(server)
