"""Runs a server until it is told to stop: the same way for each of ours.

A mistake in the setup ends in one sentence on standard error and exit code 2. It may show in a setting, at the port, or when the app opens
what it needs.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, TypeVar

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving import logs
from serving.heads import BoundedHeads
from serving.hosts import advice
from serving.settings import ServerSettings, StartRefused
from serving.sockets import allow_many_sockets, drop_what_is_not_taken

S = TypeVar("S", bound=ServerSettings)
App = TypeVar("App", bound=ASGIApp)

BACKLOG = 4096
KEEP_ALIVE_S = 75
"""Longer than a hop below keeps an idle connection, so that the server never closes one just as it is used."""


def serve(
    service: str,
    settings_of: type[S],
    create_app: Callable[[S], App],
    *,
    readers_leave_within_s: int,
    drain: Callable[[App], Awaitable[None]] | None = None,
    refused: Mapping[type[Exception], str] | None = None,
) -> int:
    """Serves until it is told to stop. Returns the exit code.

    After SIGTERM `drain` is awaited while connections are still open. Those that are left then have `readers_leave_within_s` seconds.
    `refused` holds the app's errors, besides StartRefused, that say in one sentence why it cannot start. Each comes with the variable to
    look at.
    """
    refused = refused or {}
    expected: tuple[type[Exception], ...] = (StartRefused, *refused)
    try:
        settings = settings_of.load()
        logs.configure(service, settings.log_level)
        app = create_app(settings)
        listening = _bind(settings)
    except expected as refusal:
        return _refuse(refusal, refused)
    if (unknown := advice(settings.allowed_hosts, settings.host)) is not None:
        logging.getLogger(service).warning(unknown)
    allow_many_sockets()
    drop_what_is_not_taken(listening)
    beginning = _Beginning(app, expected)
    with listening:
        try:
            _Server(_config(beginning, readers_leave_within_s), lambda: drain(app) if drain else None).run([listening])
        except SystemExit:
            if beginning.refusal is None:
                raise
            return _refuse(beginning.refusal, refused)
    return 0


def _config(app: ASGIApp, readers_leave_within_s: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        interface="asgi3",
        loop="uvloop",
        http=_Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # no server of ours asks who the client is; for the scheme, see client_server.sessions
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=readers_leave_within_s,
    )


def _bind(settings: ServerSettings) -> socket.socket:
    """The listening socket. Raises StartRefused if HOST is not an address of this machine, or the port is taken."""
    host, port = settings.host, settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        both = host == "::" and socket.has_dualstack_ipv6()
        return socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except (OSError, UnicodeError) as error:
        number = getattr(error, "errno", None)
        reason = os.strerror(number).lower() if number and number > 0 else "it is not an address"
        raise StartRefused(f"HOST and {settings.port_variable}", f"{host}:{port} cannot be listened on: {reason}") from None


def _refuse(refusal: Exception, refused: Mapping[type[Exception], str]) -> int:
    variable = next((f"{name}: " for kind, name in refused.items() if isinstance(refusal, kind)), "")
    sys.stderr.write(f"{variable}{refusal}\n")
    return 2


class _Protocol(BoundedHeads, HttpToolsProtocol):
    """uvicorn's protocol, with a bound on heads, which it lacks."""


class _Server(uvicorn.Server):
    """Tells the app of a shutdown before uvicorn waits for its connections to close."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], Awaitable[None] | None]) -> None:
        super().__init__(config)
        self._drain = drain

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        draining = self._drain()
        if draining is not None:
            await draining
        await super().shutdown(sockets)


class _Beginning:
    """The app. If it refuses to start, that is kept and not logged as a failure."""

    def __init__(self, app: ASGIApp, expected: tuple[type[Exception], ...]) -> None:
        self.refusal: Exception | None = None
        self._app = app
        self._expected = expected

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self._app(scope, receive, send) if scope["type"] != "lifespan" else self._lifespan(scope, receive, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        failed: MutableMapping[str, Any] | None = None

        async def send_later(message: MutableMapping[str, Any]) -> None:
            nonlocal failed
            if message["type"] == "lifespan.startup.failed":
                failed = message  # the exception follows at once
            else:
                await send(message)

        try:
            await self._app(scope, receive, send_later)
        except self._expected as refusal:
            if failed is None:
                raise
            self.refusal = refusal
            logging.getLogger("uvicorn.error").disabled = True  # the sentence says it all
            await send({"type": "lifespan.startup.failed"})
        except BaseException:
            if failed is not None:
                await send(failed)
            raise
