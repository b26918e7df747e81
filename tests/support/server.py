"""One of our servers as a real process on its own port, as an operator would run it.

All methods block. A test with other work in its event loop must call them through `asyncio.to_thread`.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from tests.support.databases import ON_POSTGRESQL, url_for
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 40.0
STOP_TIMEOUT_S = 20.0
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE")
"""The only variables that a server inherits from the tests' environment: no settings or keys of the person who runs them."""

_DATABASES = {"saas_api": "SAAS_API_DATABASE_URL", "client_server": "CLIENT_SERVER_DATABASE_URL"}

STARTED: weakref.WeakSet[Server] = weakref.WeakSet()
"""Every server of this process, for the report of a failed test."""


class Server:
    """`python -m MODULE` with these settings, in its own folder. `env` may be changed between a stop and a start.

    As a context manager, it starts the server and terminates it at the end.
    """

    def __init__(
        self,
        module: str,
        folder: Path,
        *,
        port_variable: str | None = None,
        env: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
        health: str = "/health",
    ) -> None:
        self.module = module
        self.port = free_port()
        self.env = dict(env or {})
        self._port_variable = port_variable
        self._arguments = [argument.format(port=self.port) for argument in arguments]
        self._health = health
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.stderr_path = folder / f"{module}-{self.port}.stderr"
        STARTED.add(self)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The id of the running process."""
        if self._process is None:
            raise RuntimeError(f"{self.module} is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def stderr(self) -> str:
        """Everything that the server has written to standard error, over all its starts."""
        return self.stderr_path.read_text(errors="replace") if self.stderr_path.exists() else ""

    def launch(self) -> None:
        """Starts the process without waiting until it serves."""
        if self.running:
            raise RuntimeError(f"{self.module} is running already")
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        port = {self._port_variable: str(self.port)} if self._port_variable else {}
        with self.stderr_path.open("ab") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.module, *self._arguments],
                cwd=self._folder,
                env=inherited
                | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "HOST": "127.0.0.1"}
                | self._database()
                | self.env
                | port,
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
            )

    def _database(self) -> dict[str, str]:
        """Its database on PostgreSQL, where the tests run on that: the same one at each start with the same DATA_DIR."""
        if not ON_POSTGRESQL or self.module not in _DATABASES:
            return {}
        return {_DATABASES[self.module]: url_for(Path(self.env.get("DATA_DIR", self._folder / "data")) / f"{self.module}.db")}

    @property
    def database_url(self) -> str:
        """Where its database is, as it was started."""
        return self._database().get(_DATABASES[self.module]) or f"sqlite:///{self.env['DATA_DIR']}/{self.module}.db"

    def start(self) -> None:
        """Starts the process and waits until it serves. If it does not, raises RuntimeError with the process's output."""
        self.launch()
        self.wait_until_healthy()

    def wait_until_healthy(self) -> None:
        """Returns as soon as the server answers. If it does not, raises RuntimeError with the process's output."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if not self.running:
                raise RuntimeError(f"{self.module} ended with {self.wait()} at its start:\n{self.stderr[-4000:]}")
            if answers(self.port, self._health):
                return
            time.sleep(0.02)
        self.kill()
        raise RuntimeError(f"{self.module} did not serve within {START_TIMEOUT_S:.0f} s:\n{self.stderr[-4000:]}")

    def kill(self) -> None:
        """Sends SIGKILL, so the process has no chance to clean up."""
        self.signal(signal.SIGKILL)
        self.wait()

    def terminate(self) -> int:
        """Sends SIGTERM and returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def signal(self, number: signal.Signals) -> None:
        """Sends the signal if the process still runs."""
        if self._process is not None and self.running:
            self._process.send_signal(number)

    def wait(self) -> int:
        """The exit code, as soon as the process has ended. Raises subprocess.TimeoutExpired."""
        if self._process is None:
            raise RuntimeError(f"{self.module} was never started")
        return self._process.wait(STOP_TIMEOUT_S)

    def stop(self) -> None:
        """Ends the process, by force if needed. It may be called when no process runs."""
        if self._process is None:
            return
        self.signal(signal.SIGTERM)
        try:
            self.wait()
        except subprocess.TimeoutExpired:
            self.kill()

    def restart(self) -> None:
        """Stops the process if it runs, and starts it again on the same port with the same data."""
        self.stop()
        self.start()

    def request(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        """Sends one request with a JSON body. Returns the status and the parsed JSON answer (or its text)."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": "application/json"} | dict(headers or {}))
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        try:
            return response.status, json.loads(text)
        except ValueError:
            return response.status, text


def answers(port: int, path: str) -> bool:
    """Whether a server on this port answers 200 there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
