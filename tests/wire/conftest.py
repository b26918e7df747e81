"""What is local to the tests of `wire`: the servers' own event loop, examples without deadline, and an echo behind the edge."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import uvloop
from hypothesis import HealthCheck, settings

from tests.wire.echo import Echo
from tests.wire.served import serving
from wire.edge import Edge
from wire.logs import JsonFormatter

# What an example takes says something about the machine's other work alone.
settings.register_profile("wire", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("wire")


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """uvloop, as under `uvicorn[standard]`: its timers and its flow control are what relays meet in use."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def echo() -> Echo:
    """What answers behind the edge."""
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
