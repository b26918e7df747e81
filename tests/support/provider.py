"""The scripted provider as a test server, with its statistics."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.server import Server

BEHAVIOURS = (
    *("text", "stamp", "echo", "tools", "json", "out-of-quota", "flaky-2", "hang", "stall"),
    *("status-400", "status-401", "status-402", "status-404", "status-413", "status-422", "status-429", "status-500", "status-503"),
    *("drop", "no-done", "error-frame", "bad-json", "crlf", "split", "big-frame", "null-usage"),
)
"""All its behaviours. `bench.script` explains each one."""


class Provider(Server):
    """`bench.provider` on a free port. Its OpenAI surface is at `api_base`."""

    def __init__(self, folder: Path) -> None:
        super().__init__("bench.provider", folder, arguments=("--port", "{port}"))

    @property
    def api_base(self) -> str:
        return f"{self.url}/v1"

    def stats(self) -> dict[str, Any]:
        """`requests`, `open`, `cancelled`, `cancelled_ns`, `finished`, `last`."""
        status, stats = self.request("GET", "/stats")
        if status != 200:
            raise RuntimeError(f"the scripted provider answered {status}")
        return dict(stats)

    def wait_for(self, condition: Callable[[dict[str, Any]], bool], timeout_s: float = 5.0) -> dict[str, Any]:
        """The first statistics that meet the condition. If none do in time, raises TimeoutError with the last ones."""
        deadline = time.monotonic() + timeout_s
        while True:
            stats = self.stats()
            if condition(stats):
                return stats
            if time.monotonic() > deadline:
                raise TimeoutError(f"the provider's statistics stayed at {stats}")
            time.sleep(0.005)
