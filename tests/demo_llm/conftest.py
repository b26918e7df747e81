"""The built-in model as a real process. This package's tests share it, because it keeps no state between requests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.demo_llm.client import Demo
from tests.support.server import Server


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A client of the running server."""
    with Server("demo_llm", tmp_path_factory.mktemp("demo_llm"), port_variable="DEMO_LLM_PORT") as server:
        yield Demo(server)
