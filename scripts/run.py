"""Runs the chain from the Procfile for a person: `make run`.

Strategy. Honcho starts the processes, merges their output and ends all of them when one ends. This script prints only what a person
wants to know: the address once everything answers, or one sentence about the problem. Ctrl-C and SIGTERM are the normal
end, with exit code 0. Under `make`, the script takes over the terminal's Ctrl-C, because make would report it as a failure. It also
watches make, because make passes on no signal but SIGTERM.
"""

from __future__ import annotations

import http.client
import io
import multiprocessing
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dotenv import dotenv_values
from honcho.environ import parse_procfile
from honcho.manager import SYSTEM_PRINTER_NAME, Manager
from honcho.printer import Message, Printer

from serving.hosts import LOOPBACK, advice, named, reachable
from serving.prefix import checked

ROOT = Path(__file__).resolve().parents[1]
PORTS = {"demo_llm": ("DEMO_LLM_PORT", "8002"), "saas_api": ("SAAS_API_PORT", "8003"), "client_server": ("CLIENT_SERVER_PORT", "8001")}
READY_TIMEOUT_S = 60.0
REFUSED = 2
"""The exit code of a server that cannot start as it is set up."""
_WATCH_S = 0.25


class Unusable(Exception):
    """The chain cannot be started as it is set up. The message is one sentence."""


class Lines(Printer):  # type: ignore[misc]  # honcho has no type information
    """Prints the output of the servers and hides honcho's own lines. It remembers the name of the first server that ended.

    A server that cannot start says why in one sentence, and two may say the same. So what is no line of a log is held back until all run or
    one has ended. If that one was not able to start, its sentence is the `refusal`, and what the others said is left out.
    """

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.ended: str | None = None
        self.refusal: str | None = None
        self._held: list[Message] | None = []
        self._at_work = threading.Lock()  # the watching thread releases what is held

    def write(self, message: Message) -> None:
        if message.name != SYSTEM_PRINTER_NAME:
            self._take(message)
        elif " stopped (rc=" in message.data and self.ended is None:
            self.ended = message.data.partition(" ")[0]
            said = b"".join(held.data for held in self._held or () if held.name == self.ended).decode(errors="replace").strip()
            if said and f"(rc={REFUSED})" in message.data:
                self.refusal = said
            else:
                self.release()

    def release(self) -> None:
        """Prints what has been held back, and all that follows."""
        with self._at_work:
            held, self._held = self._held, None
            for message in held or ():
                super().write(message)

    def _take(self, message: Message) -> None:
        with self._at_work:
            if self._held is None or message.data.startswith(b"{"):
                super().write(message)
            else:
                self._held.append(message)


class Chain(Manager):  # type: ignore[misc]  # honcho has no type information
    """Honcho's manager, with a watching thread. It can be stopped at any time and from any thread."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env
        self.lines = Lines()
        self.stopping = False
        self.problem: str | None = None
        self._owner = os.getpid()
        super().__init__(self.lines)

    def _start(self) -> None:
        super()._start()  # it forks, so no thread may run yet
        threading.Thread(target=watch, args=(self,), daemon=True).start()

    def terminate(self) -> None:
        """Ends all processes in order. If some have not started yet, it waits until all have."""
        if os.getpid() != self._owner:
            return  # the signal reached one of honcho's forks
        if self.lines.ended is None:
            self.stopping = True
        if self._all_started():
            super().terminate()
        else:
            threading.Timer(0.1, self.terminate).start()

    def run(self) -> str | None:
        """Returns when all processes have ended: None if someone stopped them, otherwise a sentence that says why."""
        signal.signal(signal.SIGHUP, lambda *_: self.terminate())
        self.loop()
        for fork in multiprocessing.active_children():
            fork.join()  # each fork has already reported to the loop that its server ended
        if self.problem is None and not self.stopping:
            return self.lines.refusal or f"{self.lines.ended} ended by itself, so the others were stopped as well."
        return self.problem


def environment() -> dict[str, str]:
    """What the servers are started with: the environment, then `.env`, then what suits a person in front of a terminal.

    A variable that is set to nothing counts as not set, here as in the servers.
    """
    values = {name: value for name, value in (written() | os.environ).items() if value}
    env = {"LOG_LEVEL": "WARNING", "HOST": "127.0.0.1"} | dict(PORTS.values()) | values
    env.setdefault("SAAS_API_URL", f"http://{reachable(env['HOST'])}:{env['SAAS_API_PORT']}")
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', os.defpath)}"  # so that `python` in the Procfile is this one
    env["PYTHONUNBUFFERED"] = "1"
    env["PYTHONIOENCODING"] = "utf-8"  # what honcho reads, whatever this terminal shows
    return env


def written() -> dict[str, str | None]:
    """What `.env` says. Raises Unusable if it cannot be read."""
    path = ROOT / ".env"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {os.strerror(error.errno or 0).lower()}.") from None
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise Unusable(f"{path} is not text in UTF-8: save it as such.")
    return dict(dotenv_values(stream=io.StringIO(text)))


def obstacle(env: dict[str, str]) -> str | None:
    """A sentence about an invalid list of hosts, an invalid prefix, or the first port that cannot be used, or None."""
    host = env["HOST"]
    try:
        named(env.get("ALLOWED_HOSTS"))
    except ValueError as error:
        return f"ALLOWED_HOSTS: {error}."
    try:
        checked(env.get("ROOT_PATH", ""))
    except ValueError as error:
        return f"ROOT_PATH: {error}."
    ports: dict[int, str] = {}
    for name, (variable, _) in PORTS.items():
        if not re.fullmatch("[0-9]{1,5}", env[variable]) or not 0 < int(env[variable]) < 65536:
            return f"{variable} is {env[variable]!r}, which is not a port number."
        if (other := ports.setdefault(int(env[variable]), variable)) != variable:
            return f"{other} and {variable} are both {env[variable]}; each server needs a port of its own."
        try:
            socket.create_server((host, int(env[variable])), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
        except OSError as error:
            if not error.errno or error.errno < 0:  # the resolver's own numbers
                return f"HOST is {host!r}, which is not an address of this machine."
            reason = os.strerror(error.errno)  # the error's own text repeats the address
            return f"{name} cannot listen on {host}:{env[variable]} ({reason}); set {variable} (or HOST) to another, also in .env."
        except UnicodeError:
            return f"HOST is {host!r}, which is not a name."
    return None


def answers(url: str) -> bool:
    """Whether the server answers its health check."""
    connection = http.client.HTTPConnection(url, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def watch(chain: Chain) -> None:
    """Runs beside the chain. It prints the address once all servers answer, and stops all if one does not answer or make is stopping."""
    env, make = chain.env, os.getppid()
    waiting = {name: f"{reachable(env['HOST'])}:{env[variable]}" for name, (variable, _) in PORTS.items()}
    page = waiting["client_server"]
    deadline = time.monotonic() + READY_TIMEOUT_S
    suspicions = 0
    while not chain.stopping and chain.lines.ended is None:
        if waiting:
            waiting = {name: address for name, address in waiting.items() if not answers(address)}
            if not waiting:
                chain.lines.release()
                print(shown(banner(address(page, env), env), sys.stdout.encoding), flush=True)
            elif time.monotonic() > deadline:
                chain.problem = f"{' and '.join(waiting)} did not answer within {READY_TIMEOUT_S:.0f} s."
                chain.terminate()
        suspicions = suspicions + 1 if "MAKELEVEL" in env and is_leaving(make) else 0
        if suspicions > 1:
            chain.terminate()
        time.sleep(_WATCH_S)


def address(page: str, env: dict[str, str]) -> str:
    """The URL of the page of the middle tier at this host and port."""
    return f"http://{page}{env['ROOT_PATH']}/" if env.get("ROOT_PATH") else f"http://{page}"


def banner(url: str, env: dict[str, str]) -> str:
    """The text for a person once everything runs."""
    hops = " ◄ ".join(f"{name} :{env[PORTS[name][0]]}" for name in ("client_server", "saas_api", "demo_llm"))
    return f"\n  Streaming chat is ready:  {url}\n\n  browser ◄ {hops}\n  Ctrl-C stops it.\n"


def shown(text: str, encoding: str) -> str:
    """The text as a terminal of this encoding can show it."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.replace("◄", "<").encode(encoding, "backslashreplace").decode(encoding)
    return text


def is_leaving(make: int) -> bool:
    """Whether the make that started this process has died, or is in its SIGINT handler and waits for this process to end.

    Only Linux can tell the latter: a signal is blocked while its handler runs, and /proc shows the blocked signals.
    """
    if os.getppid() != make:
        return True
    try:
        status = Path(f"/proc/{make}/status").read_text()
    except OSError:
        return False
    blocked = next((line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:")), "0")
    return bool(int(blocked, 16) >> (signal.SIGINT - 1) & 1)


@contextmanager
def own_ctrl_c() -> Iterator[None]:
    """Inside this context, the terminal sends Ctrl-C to this process and not to the make that started it."""
    terminal, group = sys.stdin.fileno(), os.getpgrp()
    if "MAKELEVEL" not in os.environ or not os.isatty(terminal) or os.tcgetpgrp(terminal) != group:
        yield
        return
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # the shell waits for make's group and could not resume this one
    os.setpgid(0, 0)
    os.tcsetpgrp(terminal, os.getpgrp())
    try:
        yield
    finally:
        os.tcsetpgrp(terminal, group)


def main() -> int:
    try:
        env = environment()
    except Unusable as error:
        print(error, file=sys.stderr)
        return 1
    problem = obstacle(env)
    if problem is None:
        if (unknown := advice(env.get("ALLOWED_HOSTS"), env["HOST"])) is not None:
            print(unknown, file=sys.stderr)
            env["ALLOWED_HOSTS"] = ",".join(LOOPBACK)  # so that the three servers do not repeat the line
        chain = Chain(env)
        for name, command in parse_procfile((ROOT / "Procfile").read_text(encoding="utf-8")).processes.items():
            chain.add_process(name, f"exec {command}", env=env, cwd=str(ROOT))  # `exec`, so that signals reach the server and not a shell
        with own_ctrl_c():
            problem = chain.run()
    if problem is not None:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    print("\nStopped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
