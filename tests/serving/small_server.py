"""A minimal server, to be started as a process. The environment says what it does at its start and its end."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from serving.serve import serve
from serving.settings import Port, ServerSettings, StartRefused


class CannotOpen(Exception):
    """What another package of the server might raise."""


class Settings(ServerSettings):
    """Which exception the lifespan begins with, if any."""

    port_variable: ClassVar = "SMALL_PORT"

    small_port: Port = 8009
    trouble: str = ""


async def health(_request: Request) -> Response:
    return PlainTextResponse("ok")


def create_app(settings: Settings) -> Starlette:
    troubles = {
        "refused": StartRefused("TROUBLE", "it was asked for"),
        "named": CannotOpen("It cannot be opened."),
        "bug": RuntimeError("nobody expects this"),
    }

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        if settings.trouble in troubles:
            raise troubles[settings.trouble]
        yield
        sys.stderr.write("closed\n")

    return Starlette(routes=[Route("/health", health)], lifespan=lifespan)


async def drain(_app: Starlette) -> None:
    sys.stderr.write("drained\n")


if __name__ == "__main__":
    sys.exit(serve("small", Settings, create_app, readers_leave_within_s=1, drain=drain, refused={CannotOpen: "SMALL_URL"}))
