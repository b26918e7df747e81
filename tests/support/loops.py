"""The event loop of the servers, for tests of code that runs on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import uvloop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """A hook for a conftest: uvloop, as under `uvicorn[standard]`. In use, relays run with its timers and flow control."""
    return {"uvloop": uvloop.new_event_loop}
