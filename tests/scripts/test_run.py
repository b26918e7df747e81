"""`make run`: it prints the page's address, stops when it is told to, and names a problem in one sentence."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.ports import free_port
from tests.support.server import ROOT

READY = "Ctrl-C stops it."
_TIMEOUT_S = 60.0
_ON_A_TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"


class Run:
    """A run of the chain: its output so far, and all its processes."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=inherited | env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a build in the background may have it ignored
        )
        self.output = ""

    def read_until(self, text: str) -> None:
        """Reads until the output contains this text. Raises AssertionError if the output ends before."""
        assert self.process.stdout is not None
        while text not in self.output:
            data = os.read(self.process.stdout.fileno(), 4096)
            assert data, f"{text!r} was never said:\n{self.output}"
            self.output += data.decode()

    def family(self) -> list[psutil.Process]:
        """The process and all its current descendants."""
        process = psutil.Process(self.process.pid)
        return [process, *process.children(recursive=True)]

    def end(self) -> int:
        """Waits for the end and returns the exit code."""
        assert self.process.stdin is not None
        output, _ = self.process.communicate(timeout=_TIMEOUT_S)
        self.output += output.decode()
        return self.process.returncode


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An environment with free ports and a separate data directory."""
    ports = {name: str(free_port()) for name in ("DEMO_LLM_PORT", "SAAS_API_PORT", "CLIENT_SERVER_PORT")}
    return {"DATA_DIR": str(tmp_path / "data"), "HOST": "127.0.0.1"} | ports


@pytest.fixture
def start(env: dict[str, str]) -> Iterator[Callable[..., Run]]:
    """Starts a run that ends with the test at the latest."""
    runs: list[Run] = []

    def starter(*command: str) -> Run:
        runs.append(Run(list(command) or [sys.executable, "-m", "scripts.run"], env))
        return runs[-1]

    yield starter
    for run in runs:
        if run.process.poll() is None:
            for process in reversed(run.family()):
                process.kill()
            run.process.wait()


def left(family: list[psutil.Process]) -> list[psutil.Process]:
    """The processes that still run one second after they should have ended."""
    return psutil.wait_procs(family, timeout=1)[1]


def test_a_person_starts_and_stops_it(start: Callable[..., Run], env: dict[str, str], tmp_path: Path) -> None:
    """On a terminal under make, it prints the page's address, and Ctrl-C ends it with exit code 0 and no stack trace."""
    makefile = tmp_path / "Makefile"
    makefile.write_text(f"run:\n\t@{sys.executable} -m scripts.run\n")
    run = start(sys.executable, "-c", _ON_A_TERMINAL, "make", "-f", str(makefile), "run")
    run.read_until(READY)
    url = f"http://127.0.0.1:{env['CLIENT_SERVER_PORT']}"
    assert url in run.output
    with urllib.request.urlopen(f"{url}/health") as answer:
        assert answer.status == 200
    family = run.family()
    assert run.process.stdin is not None
    run.process.stdin.write(b"\x03")
    run.process.stdin.flush()
    assert (0, []) == (run.end(), left(family))
    assert "Stopped." in run.output
    assert "Traceback" not in run.output
    assert "make:" not in run.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_an_ordinary_end(start: Callable[..., Run], number: signal.Signals) -> None:
    """A supervisor's signal or a closed terminal ends all processes with exit code 0."""
    run = start()
    run.read_until(READY)
    family = run.family()
    run.process.send_signal(number)
    assert (0, []) == (run.end(), left(family))
    assert "Traceback" not in run.output


def test_it_can_be_stopped_while_it_starts(start: Callable[..., Run]) -> None:
    """A signal before the servers are ready also leaves no process behind."""
    run = start()
    deadline = time.monotonic() + _TIMEOUT_S
    while not (family := run.family())[1:] and time.monotonic() < deadline:
        time.sleep(0.01)
    run.process.send_signal(signal.SIGTERM)
    assert (0, []) == (run.end(), left(family))
    assert "Traceback" not in run.output


def test_make_that_is_interrupted_alone_stops_it(start: Callable[..., Run], tmp_path: Path) -> None:
    """SIGINT to make alone, which make does not pass on, also leaves no process behind."""
    makefile = tmp_path / "Makefile"
    makefile.write_text(f"run:\n\t@{sys.executable} -m scripts.run\n")
    run = start("make", "-f", str(makefile), "run")
    run.read_until(READY)
    family = run.family()
    run.process.send_signal(signal.SIGINT)
    run.end()
    assert [] == left(family)


def test_a_server_that_dies_is_named(start: Callable[..., Run]) -> None:
    """When a server ends by itself, the others are stopped, and one sentence names the server that ended."""
    run = start()
    run.read_until(READY)
    family = run.family()
    next(process for process in family if process.cmdline()[-2:] == ["-m", "saas_api"]).kill()
    assert (1, []) == (run.end(), left(family))
    assert run.output.strip().splitlines()[-1] == "saas_api ended by itself, so the others were stopped as well."


def test_a_taken_port_is_named(start: Callable[..., Run], env: dict[str, str]) -> None:
    """When a port is taken, nothing is started, and one sentence names the port and its variable."""
    with socket.create_server(("127.0.0.1", int(env["SAAS_API_PORT"]))):
        run = start()
        assert run.end() == 1
    (sentence,) = run.output.strip().splitlines()
    assert f"saas_api cannot listen on 127.0.0.1:{env['SAAS_API_PORT']} (Address already in use)" in sentence
    assert "SAAS_API_PORT" in sentence


@pytest.mark.parametrize("value", ["eight thousand", "0", "70000"])
def test_a_wrong_port_is_named(start: Callable[..., Run], env: dict[str, str], value: str) -> None:
    """An invalid port is refused in one sentence that names the variable."""
    env["CLIENT_SERVER_PORT"] = value
    run = start()
    assert run.end() == 1
    assert run.output.strip() == f"CLIENT_SERVER_PORT is {value!r}, which is not a port number."


def test_a_wrong_list_of_hosts_is_named(start: Callable[..., Run], env: dict[str, str]) -> None:
    """With an invalid list of hosts nothing is started, and one sentence names the variable."""
    env["ALLOWED_HOSTS"] = "https://chat.example.com"
    run = start()
    assert run.end() == 1
    (sentence,) = run.output.strip().splitlines()
    assert sentence.startswith("ALLOWED_HOSTS: ")


def test_all_addresses_without_a_name_are_remarked_on(start: Callable[..., Run], env: dict[str, str]) -> None:
    """If HOST is a wildcard, one line in all, not one per server, says what to set."""
    env["HOST"] = "0.0.0.0"
    run = start()
    run.read_until(READY)
    run.process.send_signal(signal.SIGTERM)
    assert run.end() == 0
    assert [line for line in run.output.splitlines() if "ALLOWED_HOSTS" in line] == run.output.splitlines()[:1]


def test_a_path_prefix_is_in_the_address(start: Callable[..., Run], env: dict[str, str]) -> None:
    """The address that it prints is the page's under ROOT_PATH, and it works as it stands."""
    env["ROOT_PATH"] = "/chat"
    run = start()
    run.read_until(READY)
    url = f"http://127.0.0.1:{env['CLIENT_SERVER_PORT']}/chat/"
    assert f"ready:  {url}\n" in run.output
    with urllib.request.urlopen(url) as answer:
        assert b'href="/chat/static/' in answer.read()
    run.process.send_signal(signal.SIGTERM)
    assert run.end() == 0


def test_a_wrong_path_prefix_is_named(start: Callable[..., Run], env: dict[str, str]) -> None:
    """With an invalid prefix nothing is started, and one sentence names the variable."""
    env["ROOT_PATH"] = "/chat/"
    run = start()
    assert run.end() == 1
    (sentence,) = run.output.strip().splitlines()
    assert sentence.startswith("ROOT_PATH: ")
