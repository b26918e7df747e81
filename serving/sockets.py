"""The sockets of a server: room for many, and none kept for a peer that takes nothing."""

from __future__ import annotations

import resource
import socket

WANTED = 65_536
UNTAKEN_S = 60
"""How many seconds the kernel keeps data that a peer does not take."""


def allow_many_sockets() -> None:
    """Raises this process's limit of open files as far as it may. A stream takes two sockets; the usual limit of 1,024 ends at 500."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(hard, WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def drop_what_is_not_taken(listening: socket.socket) -> None:
    """Lets the kernel end every connection accepted here if its peer takes none of the waiting data for a minute.

    A server that closes such a connection waits for its buffer to be sent, which never happens. ASGI has no way to abort. On systems
    without TCP_USER_TIMEOUT (RFC 5482) nothing changes.
    """
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNTAKEN_S * 1000)
