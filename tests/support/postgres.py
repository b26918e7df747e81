"""A throwaway PostgreSQL on the loopback interface, started when a test first asks for a database there.

Strategy. One cluster for each test process. A shell stands between us and it and waits for the end of its standard input: however this
process ends, the shell ends PostgreSQL and removes its folder, so nothing is left behind.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from tests.support.ports import free_port

_START_TIMEOUT_S = 60.0
_LOCALE = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}
_GUARD = 'folder=$1; shift; "$@" & read -r _; kill -INT $!; wait $!; rm -rf "$folder"'
MISSING = "PostgreSQL is not installed; on Debian and Ubuntu: apt-get install postgresql"


def programs() -> Path | None:
    """The folder of PostgreSQL's programs, or None where it is not installed. Debian keeps them off the PATH, by version."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    return max((path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")), default=None)


class Cluster:
    """A running PostgreSQL. It refuses to run as root, so root starts it as the user `postgres`."""

    def __init__(self) -> None:
        bin_folder = programs()
        if bin_folder is None:
            raise RuntimeError(MISSING)
        self._bin = bin_folder
        self._made: set[str] = set()
        self._making = threading.Lock()
        self.port = free_port()
        user = "postgres" if os.getuid() == 0 else None
        folder = Path(tempfile.mkdtemp(prefix="streaming-chat-postgres-"))
        if user is not None:
            shutil.chown(folder, user)
        data, log = folder / "data", folder / "log"
        made = subprocess.run(
            [self._bin / "initdb", "--pgdata", data, "--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--no-sync"],
            user=user,
            cwd=folder,
            env=_LOCALE,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise RuntimeError(f"initdb failed: {made.stderr}")
        options = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "max_connections": 400}
        options |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        settings = [f"--{name}={value}" for name, value in options.items()]
        with log.open("wb") as written:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "sh", folder, self._bin / "postgres", "-D", data, *settings],
                user=user,
                cwd=folder,
                env=_LOCALE,
                stdin=subprocess.PIPE,
                stdout=written,
                stderr=written,
                start_new_session=True,  # Ctrl-C is ours, and reaches it through the end of its input
            )
        self._wait_until_ready(log)

    def _wait_until_ready(self, log: Path) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while self._run("pg_isready", "--timeout", "5").returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text() if log.exists() else 'its folder is gone'}")
            time.sleep(0.05)

    def database(self, name: str) -> str:
        """The URL of the database of this name, which is made at the first call."""
        with self._making:
            if name not in self._made:
                made = self._run("createdb", name)
                if made.returncode:
                    raise RuntimeError(f"createdb failed: {made.stderr}")
                self._made.add(name)
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        where = ["--host", "127.0.0.1", "--port", str(self.port), "--username", "postgres"]
        return subprocess.run([self._bin / program, *where, *arguments], env=_LOCALE, capture_output=True, text=True, check=False)

    def stop(self) -> None:
        """Ends it, and returns when its folder is gone."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(30)


_running: list[Cluster] = []
_starting = threading.Lock()


def cluster() -> Cluster:
    """This process's cluster. Raises RuntimeError where it cannot be started."""
    with _starting:
        if not _running:
            _running.append(Cluster())
        return _running[0]


def stop() -> None:
    """Ends the cluster, if there is one."""
    while _running:
        _running.pop().stop()
