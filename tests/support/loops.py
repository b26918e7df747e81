"""The servers' own event loop, for the tests of what runs on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import uvloop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """A conftest's hook: uvloop, as under `uvicorn[standard]`; its timers and its flow control are what relays meet in use."""
    return {"uvloop": uvloop.new_event_loop}
