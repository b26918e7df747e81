"""What is local to the tests of `wire`: their event loop is the one the servers run on, and examples have no deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import uvloop
from hypothesis import HealthCheck, settings

# What an example takes says something about the machine's other work alone.
settings.register_profile("wire", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("wire")


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """uvloop, as under `uvicorn[standard]`: its timers and its flow control are what relays meet in use."""
    return {"uvloop": uvloop.new_event_loop}
