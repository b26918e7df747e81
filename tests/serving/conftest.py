"""What is local to the tests of `serving`: the servers' own event loop, and an echo behind the edge."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from serving.edge import Edge
from serving.logs import JsonFormatter
from tests.serving.echo import Echo
from tests.support.loops import pytest_asyncio_loop_factories
from tests.support.served import serving

__all__ = ["pytest_asyncio_loop_factories"]


@pytest.fixture
async def echo() -> Echo:
    """The app behind the edge."""
    return Echo()


@pytest.fixture
async def port(echo: Echo) -> AsyncIterator[int]:
    """Where it is served."""
    async with serving(Edge(echo)) as port:
        yield port


@pytest.fixture
def access() -> Iterator[list[dict[str, Any]]]:
    """The access lines written in this test, read back from their JSON."""
    lines: list[dict[str, Any]] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.loads(self.format(record)))

    handler, logger = Collect(), logging.getLogger("access")
    handler.setFormatter(JsonFormatter("test"))
    logger.addHandler(handler)
    before = logger.level
    logger.setLevel(logging.INFO)
    yield lines
    logger.removeHandler(handler)
    logger.setLevel(before)
