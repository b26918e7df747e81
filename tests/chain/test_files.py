"""Only their owner can read the files that the servers write, with conversations and hashed keys."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chain import Chain

pytestmark = pytest.mark.sqlite


@pytest.fixture
def open_umask() -> Iterator[None]:
    """A umask that would let everyone read new files."""
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    """The permissions of each file in a folder, by name."""
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


def files(*names: str) -> dict[str, int]:
    """These files with private permissions, plus the files beside a database in use and its lock, and the folder of what has been shown."""
    private = ("credentials.env", *(f"{name}.db{ending}" for name in names for ending in ("", "-wal", "-shm", ".lock")))
    return dict.fromkeys(private, 0o600) | {"client_server.shown": 0o700}


@pytest.mark.usefixtures("open_umask")
def test_new_files_are_private(tmp_path: Path) -> None:
    """The databases with their logs, the credentials and the directory are private, whatever the umask."""
    with Chain(tmp_path / "chain", env={"LOG_LEVEL": "WARNING"}) as chain:
        assert chain.client_server.request("POST", "/api/chat", {"message": "3 1 1"})[0] == 200
        assert modes(chain.data_dir) == files("saas_api", "client_server")
        assert chain.data_dir.stat().st_mode & 0o777 == 0o700
        assert [chain.saas_api.stderr, chain.client_server.stderr] == ["", ""]


@pytest.mark.usefixtures("open_umask")
def test_old_files_are_made_private_and_kept(tmp_path: Path) -> None:
    """An old database that others could read and that was not closed properly becomes private at the next start, which says so."""
    with Chain(tmp_path / "chain", env={"LOG_LEVEL": "WARNING"}) as chain:
        assert chain.client_server.request("POST", "/api/chat", {"message": "3 1 1"})[0] == 200
        for server in (chain.client_server, chain.saas_api):
            server.kill()
        for path in chain.data_dir.iterdir():
            path.chmod(0o644)
        chain.saas_api.start()
        chain.client_server.start()
        assert chain.client_server.request("POST", "/api/chat", {"message": "3 1 1"})[0] == 200
        assert modes(chain.data_dir) == files("saas_api", "client_server")
        for server in (chain.saas_api, chain.client_server):
            told = [json.loads(line)["message"] for line in server.stderr.splitlines()]
            assert [f"{server.module}.db" in line and "0644" in line for line in told] == [True] * 3
