"""What is local to the tests of `wire`: their event loop is the one the servers run on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import uvloop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """uvloop, as under `uvicorn[standard]`: its timers and its flow control are what relays meet in use."""
    return {"uvloop": uvloop.new_event_loop}
