"""The processes of a benchmark: started on a core, watched through /proc, and ended with their context."""

from __future__ import annotations

import http.client
import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[1]
_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 20.0


class Cores:
    """One core for the systems under test, and another for the provider and the load generator."""

    def __init__(self) -> None:
        available = sorted(os.sched_getaffinity(0))
        self.pinned = len(available) > 1 and shutil.which("taskset") is not None
        self.servers = ["taskset", "-c", str(available[0])] if self.pinned else []
        self.load = ["taskset", "-c", str(available[1])] if self.pinned else []

    def describe(self) -> str:
        if self.pinned:
            return f"servers on core {self.servers[-1]}, provider and load generator on core {self.load[-1]}"
        return "not pinned, because there is only one core (or no taskset): all processes compete, and the figures mean little"


def busy(load: float) -> str:
    """A warning if the machine was busy before the benchmark, judged by its load average; otherwise empty."""
    if load < 0.5:
        return ""
    return f"The machine is busy (load {load:.1f}): other work causes some of the delays and stalls, as nginx's own show."


class Process:
    """A server process as a context manager. It is entered once the server answers; at the end, its children stop with it."""

    def __init__(self, command: Sequence[str], folder: Path, port: int, *, env: Mapping[str, str] | None = None, health: str = "/health"):
        self._command = command
        self._folder = folder
        self._port = port
        self._env = dict(env or {})
        self._health = health
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        log = self._folder / f"{self._port}.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | self._env,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not answers(self._port, self._health):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError(f"{' '.join(self._command)} does not serve:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)
        return self

    def kill(self) -> None:
        """Ends the process at once, as `kill -9` does. It can be entered again."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                os.killpg(self._process.pid, number)
                try:
                    self._process.wait(_STOP_TIMEOUT_S)
                except subprocess.TimeoutExpired:
                    continue

    @property
    def pids(self) -> list[int]:
        """The process and its children."""
        if self._process is None:
            raise RuntimeError("not started")
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]


def answers(port: int, path: str) -> bool:
    """Whether an HTTP server on this port answers this path with status 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def free_port() -> int:
    """A port on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def allow_many_files() -> None:
    """Raises this process's limit of open files to the maximum. The processes it starts inherit the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def cpu_seconds(pids: Sequence[int]) -> float:
    """The processor time that these processes have used so far, in user and kernel mode."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_kib(pids: Sequence[int]) -> float:
    """The resident memory of these processes, in KiB."""
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024
