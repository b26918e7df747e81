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


def test_a_chain_on_an_ipv6_address(start: Callable[..., Run], env: dict[str, str]) -> None:
    """With HOST at `::1` a question goes all the way to the model and back."""
    env["HOST"] = "::1"
    run = start()
    run.read_until(READY)
    url = f"http://[::1]:{env['CLIENT_SERVER_PORT']}"
    assert url in run.output
    question = urllib.request.Request(f"{url}/api/chat", b'{"message": "hello"}', {"Content-Type": "application/json"})
    with urllib.request.urlopen(question) as answer:
        assert b'"finish_reason":"stop"' in answer.read()
    run.process.send_signal(signal.SIGTERM)
    assert run.end() == 0


def test_a_port_for_two_is_named(start: Callable[..., Run], env: dict[str, str]) -> None:
    """Two servers cannot listen at one port."""
    env["SAAS_API_PORT"] = env["DEMO_LLM_PORT"]
    run = start()
    assert run.end() == 1
    assert run.output.strip().startswith("DEMO_LLM_PORT and SAAS_API_PORT are both ")


@pytest.mark.parametrize("host", ["no host", "a" * 64, "nowhere.invalid"])
def test_a_wrong_host_is_named(start: Callable[..., Run], env: dict[str, str], host: str) -> None:
    """What is no address of this machine is refused in one sentence that names the variable."""
    env["HOST"] = host
    run = start()
    assert run.end() == 1
    (sentence,) = run.output.strip().splitlines()
    assert sentence.startswith(f"HOST is {host!r}, which is not ")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_terminal_that_knows_no_utf_8(start: Callable[..., Run], env: dict[str, str], encoding: str) -> None:
    """The address is printed there too, and the arrows beside it are ones that the terminal has."""
    env |= {"PYTHONIOENCODING": encoding, "LC_ALL": "C"}
    run = start()
    run.read_until(READY)
    assert f"http://127.0.0.1:{env['CLIENT_SERVER_PORT']}" in run.output
    assert "client_server :" in run.output
    run.process.send_signal(signal.SIGTERM)
    assert run.end() == 0
    assert "Traceback" not in run.output


def test_a_second_run_on_the_same_directory(start: Callable[..., Run], env: dict[str, str]) -> None:
    """It ends with one sentence that names the directory, and the first one runs on."""
    first = start()
    first.read_until(READY)
    env |= {name: str(free_port()) for name in ("DEMO_LLM_PORT", "SAAS_API_PORT", "CLIENT_SERVER_PORT")}
    second = start()
    assert second.end() == 1
    (sentence,) = second.output.strip().splitlines()
    assert f"The directory {env['DATA_DIR']} is in use by another running server (process " in sentence
    first.process.send_signal(signal.SIGTERM)
    assert first.end() == 0


@pytest.mark.parametrize("fault", ["credentials", "key", "setting"])
def test_a_server_that_refuses_says_so_once(start: Callable[..., Run], env: dict[str, str], fault: str) -> None:
    """Whichever server refuses, and if both do, one sentence is all that is printed, and nothing is left running."""
    if fault == "credentials":
        Path(env["DATA_DIR"]).mkdir()
        (Path(env["DATA_DIR"]) / "credentials.env").write_bytes(b"KEY_PEPPER=caf\xe9\n")
    env |= {"key": {"OPENAI_API_KEY": "sk-secret\n"}, "setting": {"RESUME_GRACE_S": "-1"}}.get(fault, {})
    run = start()
    family = run.family()
    assert (1, []) == (run.end(), left(family))
    (sentence,) = run.output.strip().splitlines()
    assert sentence.startswith({"credentials": "DATA_DIR: ", "key": "OPENAI_API_KEY: ", "setting": "RESUME_GRACE_S: "}[fault])
    assert "secret\n" not in run.output


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
