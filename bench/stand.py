"""The test stand: the provider and, in front of it, each system under test. All of them run at the same time."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from bench import nginx
from bench.load import Load, Outcome
from bench.processes import ROOT, Cores, Process, cpu_seconds, free_port

_GROUP = "stamp"
_MODELS = """\
[[model_group]]
name = "{group}"

[[model_group.deployment]]
model = "openai/bench+stamp"
api_base = "http://127.0.0.1:{port}/v1"
input_usd_per_million = 1.0
output_usd_per_million = 2.0
timeout_first_token_s = 60
timeout_idle_s = 60
"""


@dataclass(frozen=True, slots=True)
class System:
    """A system that streams: its address, how to ask it, and the processes that do the work."""

    name: str
    port: int
    path: str
    processes: tuple[Process, ...]
    headers: dict[str, str] = field(default_factory=dict)
    chain: bool = False

    @property
    def pids(self) -> list[int]:
        return [pid for process in self.processes for pid in process.pids]

    def body(self, script: str) -> dict[str, Any]:
        if self.chain:
            return {"message": script, "model_group": _GROUP}
        model = _GROUP if self.headers else "bench+stamp"
        return {"model": model, "stream": True, "messages": [{"role": "user", "content": script}]}


@dataclass(frozen=True, slots=True)
class Result:
    """An outcome, and the processor time that the system used for it."""

    outcome: Outcome
    cpu_s: float

    @property
    def cpu_us_per_chunk(self) -> float:
        return self.cpu_s * 1e6 / max(1, self.outcome.chunks)


class Stand:
    """A context manager that starts everything. `nginx` is None if it is not installed."""

    def __init__(self, folder: Path, cores: Cores) -> None:
        self._folder = folder
        self._cores = cores
        self._stack = ExitStack()
        self.direct: System
        self.gateway: System
        self.chain: System
        self.nginx: System | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        provider, gateway, middle = free_port(), free_port(), free_port()
        self._folder.mkdir(parents=True, exist_ok=True)
        models = self._folder / "models.toml"
        models.write_text(_MODELS.format(group=_GROUP, port=provider))
        env = {
            "DATA_DIR": str(self._folder / "data"),
            "SAAS_API_MODELS_FILE": str(models),
            "SAAS_API_PORT": str(gateway),
            "CLIENT_SERVER_PORT": str(middle),
            "SAAS_API_URL": f"http://127.0.0.1:{gateway}",
        }
        python, servers, load = sys.executable, self._cores.servers, self._cores.load
        model = self._run(Process([*load, python, "-m", "bench.provider", "--port", str(provider)], self._folder / "provider", provider))
        api = self._run(Process([*servers, python, "-m", "saas_api"], self._folder / "saas_api", gateway, env=env))
        client = self._run(Process([*servers, python, "-m", "client_server"], self._folder / "client_server", middle, env=env))
        credentials = (self._folder / "data" / "credentials.env").read_text().splitlines()
        key = dict(line.split("=", 1) for line in credentials if "=" in line)["SAAS_VIRTUAL_KEY"]
        completions = "/v1/chat/completions"
        self.direct = System("direct", provider, completions, (model,))
        self.gateway = System("gateway", gateway, completions, (api,), {"Authorization": f"Bearer {key}"})
        self.chain = System("chain", middle, "/api/chat/stream", (api, client), chain=True)
        binary = nginx.executable()
        if binary is not None:
            port = free_port()
            hop = self._run(nginx.hop(binary, self._folder / "nginx", port, provider, servers))
            self.nginx = System("nginx", port, completions, (hop,))

    def _run(self, process: Process) -> Process:
        return self._stack.enter_context(process)

    def command(self, system: System, streams: int, chunks: int, gap_ms: float, batches: int = 1) -> list[str]:
        """The command that puts a load on a system."""
        body = system.body(f"{chunks} {gap_ms:g} 0")
        load = Load(system.port, system.path, body, streams, chunks, gap_ms, system.headers, batches)
        return [*self._cores.load, sys.executable, "-m", "bench.load", json.dumps(asdict(load))]

    def load(self, system: System, streams: int, chunks: int, gap_ms: float, batches: int = 1) -> Result:
        """Puts a load on a system and waits for its end."""
        pids = system.pids
        before = cpu_seconds(pids)
        command = self.command(system, streams, chunks, gap_ms, batches)
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
        return Result(Outcome.from_json(done.stdout), cpu_seconds(pids) - before)
