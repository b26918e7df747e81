"""Starts the gateway: `python -m saas_api`."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Awaitable, Callable

import uvicorn
from pydantic import ValidationError
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from saas_api.app import create_app
from saas_api.model_groups import ModelsFileError
from saas_api.settings import Settings
from serving.heads import BoundedHeads
from serving.hosts import advice
from serving.logs import configure
from serving.sockets import allow_many_sockets, drop_what_is_not_taken


class Protocol(BoundedHeads, HttpToolsProtocol):
    """uvicorn's, which takes a head of any length for ever."""


class Server(uvicorn.Server):
    """Tells the running streams of a shutdown before uvicorn waits for their connections to close."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._drain = drain

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._drain()
        await super().shutdown(sockets)


def main() -> int:
    """Serves until told to stop; 2 where a setting is wrong, after one sentence that names it."""
    try:
        settings = Settings.load()
        configure("saas_api", settings.log_level)
        app = create_app(settings)
        allow_many_sockets()
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        said = "it must have at least 16 characters" if first["type"] == "too_short" else first["msg"].removeprefix("Value error, ")
        print(f"{str(first['loc'][0]).upper()}: {said}.", file=sys.stderr)
        return 2
    except ModelsFileError as error:
        print(f"SAAS_API_MODELS_FILE: {error}.", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"DATA_DIR: {error.filename} cannot be used: {error.strerror}.", file=sys.stderr)
        return 2
    if (unknown := advice(settings.allowed_hosts, settings.host)) is not None:
        logging.getLogger("saas_api").warning(unknown)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.saas_api_port,
        loop="uvloop",
        http=Protocol,
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # nothing here depends on where a request came from
        server_header=False,
        backlog=4096,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=5,
    )
    listening = config.bind_socket()
    drop_what_is_not_taken(listening)
    Server(config, app.drain).run([listening])
    return 0


if __name__ == "__main__":
    sys.exit(main())
