"""Starts the middle tier alone: `python -m client_server`."""

from __future__ import annotations

import logging
import sys

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from client_server.app import create_app
from client_server.settings import BadSetting, Settings
from serving.heads import BoundedHeads
from serving.hosts import advice
from serving.logs import configure
from serving.sockets import allow_many_sockets, drop_what_is_not_taken

READERS_LEAVE_WITHIN_S = 1
"""After SIGTERM streams are cut, not ended: their readers come back to the next process, which goes on."""


class Protocol(BoundedHeads, HttpToolsProtocol):
    """uvicorn's, which takes a head of any length for ever."""


def main() -> None:
    try:
        settings = Settings.load()
    except BadSetting as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
    configure("client_server", settings.log_level)
    if (unknown := advice(settings.allowed_hosts, settings.host)) is not None:
        logging.getLogger("client_server").warning(unknown)
    allow_many_sockets()
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.client_server_port,
        loop="uvloop",
        http=Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=4096,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=READERS_LEAVE_WITHIN_S,
    )
    listening = config.bind_socket()
    drop_what_is_not_taken(listening)
    uvicorn.Server(config).run([listening])


if __name__ == "__main__":
    main()
