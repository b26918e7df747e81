"""Starts the built-in model alone: `python -m demo_llm`."""

from __future__ import annotations

import logging
import socket
import sys

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from demo_llm.app import create_app
from demo_llm.settings import SettingError, Settings, load
from serving import logs
from serving.heads import BoundedHeads
from serving.hosts import advice

_KEEP_ALIVE_S = 75
"""Longer than the gateway's pool keeps an idle connection, so the server never closes a connection just as the gateway uses it."""
_GRACE_S = 3
"""How long a stop waits for open requests. A hanging fault never ends by itself and must not delay the end of the process."""


class Protocol(BoundedHeads, HttpToolsProtocol):
    """uvicorn's protocol with a limit on the request head, which uvicorn itself does not bound in size or time."""


def main() -> int:
    """Serves until SIGTERM or SIGINT. If a setting is wrong, prints one sentence that names it and returns 2."""
    try:
        settings = load()
        listener = _bind(settings)
    except SettingError as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 2
    logs.configure("demo_llm", settings.log_level)
    if (unknown := advice(settings.allowed_hosts, settings.host)) is not None:
        logging.getLogger("demo_llm").warning(unknown)
    config = uvicorn.Config(
        create_app(settings.hosts),
        loop="uvloop",
        http=Protocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )
    with listener:
        uvicorn.Server(config).run(sockets=[listener])
    return 0


def _bind(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        reason = (error.strerror or "not an address").partition(" (")[0].lower()
        raise SettingError(f"HOST and DEMO_LLM_PORT cannot be {settings.host!r} and {settings.port}: {reason}.") from None


if __name__ == "__main__":
    sys.exit(main())
