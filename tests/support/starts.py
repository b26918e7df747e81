"""A server that is to refuse its start, as a real process, and what it said."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.ports import free_port
from tests.support.server import ROOT

TIMEOUT_S = 30


def refusal(module: str, data_dir: Path, env: Mapping[str, str | bytes] | None = None, *, largest_file: int | None = None) -> str:
    """Starts the server. Returns its one sentence, and raises AssertionError if it says more, or ends otherwise than with exit code 2.

    `largest_file` is how many bytes a file of the process may have, as if the disk were full.
    """
    ports = {name: str(free_port()) for name in ("SAAS_API_PORT", "CLIENT_SERVER_PORT", "DEMO_LLM_PORT")}
    common = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOST": "127.0.0.1", "LOG_LEVEL": "WARNING", "DATA_DIR": str(data_dir)}

    def limit() -> None:
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    ended = subprocess.run(
        [sys.executable, "-m", module],
        env=common | ports | dict(env or {}),
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
        preexec_fn=limit,
    )
    said = ended.stderr.decode()
    assert ended.returncode == 2, said
    assert said.endswith(".\n"), said
    assert said.count("\n") == 1, said
    assert ended.stdout == b""
    return said.removesuffix("\n")
