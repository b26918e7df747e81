"""Ports that no other test process takes, nor the kernel for an outgoing connection.

Strategy. If the kernel chooses a port, it may give the same port to another process while the server is restarting. So
ports come from below the ephemeral range. A lock on one file per port, held until this process ends, keeps other test runs away.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

_FIRST, _LAST = 12_000, 31_999
_ATTEMPTS = 500
_held: list[int] = []
"""The file descriptors whose locks reserve this process's ports."""


def free_port() -> int:
    """A port on the loopback interface, reserved for this process."""
    folder = Path(tempfile.gettempdir()) / f"streaming-chat-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    for _ in range(_ATTEMPTS):
        port = random.randint(_FIRST, _LAST)
        descriptor = os.open(folder / str(port), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            os.close(descriptor)
            continue
        _held.append(descriptor)
        return port
    raise RuntimeError(f"no free port after {_ATTEMPTS} attempts")
