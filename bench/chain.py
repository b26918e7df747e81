"""A chain of its own for benchmarks that are not about speed: provider, gateway and middle tier, not pinned to cores."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from bench.processes import Process, free_port

_GROUP = """\
[[model_group]]
name = "{behaviour}"

[[model_group.deployment]]
model = "openai/bench+{behaviour}"
api_base = "http://127.0.0.1:{port}/v1"
input_usd_per_million = 1.0
output_usd_per_million = 2.0

"""


class Chain:
    """Runs as long as the stack. Each behaviour of the provider is a model group of the same name."""

    def __init__(
        self, folder: Path, stack: ExitStack, behaviours: tuple[str, ...] = ("text",), env: Mapping[str, str] | None = None
    ) -> None:
        provider, gateway, self.port = free_port(), free_port(), free_port()
        self.folder = folder
        models = folder / "models.toml"
        models.write_text("".join(_GROUP.format(behaviour=behaviour, port=provider) for behaviour in behaviours))
        settings = {
            "DATA_DIR": str(folder / "data"),
            "SAAS_API_MODELS_FILE": str(models),
            "SAAS_API_PORT": str(gateway),
            "CLIENT_SERVER_PORT": str(self.port),
            "SAAS_API_URL": f"http://127.0.0.1:{gateway}",
            "LOG_LEVEL": "ERROR",
        } | dict(env or {})
        python = sys.executable
        stack.enter_context(Process([python, "-m", "bench.provider", "--port", str(provider)], folder / "provider", provider))
        self.gateway = stack.enter_context(Process([python, "-m", "saas_api"], folder / "saas_api", gateway, env=settings))
        self.middle = stack.enter_context(Process([python, "-m", "client_server"], folder / "client_server", self.port, env=settings))

    def rows(self, database: str, query: str) -> list[tuple[str, ...]]:
        """What a database says, read beside the running server."""
        connection = sqlite3.connect(f"file:{self.folder / 'data' / database}?mode=ro", uri=True)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()
