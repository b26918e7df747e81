"""Room for many connections in one process."""

from __future__ import annotations

import resource

WANTED = 65_536


def allow_many_sockets() -> None:
    """Raises this process's limit of open files as far as it may: a stream takes two sockets, and the usual 1,024 end at 500."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(hard, WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
