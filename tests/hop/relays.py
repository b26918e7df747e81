"""An app that relays a log, behind a real server, for the tests of `hop.relay`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from starlette.types import Receive, Scope, Send

from hop.event_stream import EventStream
from tests.support.served import Connection, serving
from wire.frames import hop_frame
from wire.log import Ending, Outcome, StreamLog
from wire.sse import DONE

TRAILER = hop_frame({"hop": "client_server"}) + DONE
END = Ending(Outcome.FINISHED, TRAILER)
MIB = 1024 * 1024


class Relays:
    """An app that relays one log. The path is the index to begin at; the settings are those of `EventStream`.

    It keeps the size of every body it wrote, how its relays ended, and in which pass of the event loop it wrote each body.
    """

    def __init__(self, log: StreamLog, **settings: Any) -> None:
        self.log = log
        self.settings = settings
        self.running = 0
        self.written: list[int] = []
        self.passes: list[int] = []
        self.endings: list[str] = []
        self._pass = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counting(message: Any) -> None:
            await send(message)
            if message["type"] == "http.response.body":
                self.written.append(len(message["body"]))
                self.passes.append(self._pass)

        self.running += 1
        loop = asyncio.get_running_loop()
        loop.call_soon(self._count_passes, loop)
        try:
            await EventStream(self.log, int(scope["path"][1:] or 0), **self.settings)(scope, receive, counting)
            task = asyncio.current_task()
            self.endings.append("cancelling" if task is not None and task.cancelling() else "returned")
        except asyncio.CancelledError:
            self.endings.append("cancelled")
            raise
        except Exception as error:
            self.endings.append(type(error).__name__)
            raise
        finally:
            self.running -= 1

    def _count_passes(self, loop: asyncio.AbstractEventLoop) -> None:
        self._pass += 1
        if self.running:
            loop.call_soon(self._count_passes, loop)

    @contextlib.asynccontextmanager
    async def reader(self, index: int = 0, **options: Any) -> AsyncIterator[Connection]:
        """A client that has sent its request to a server of this app."""
        async with serving(self) as port, Connection(port, **options) as client:
            await client.request("GET", f"/{index}")
            yield client


async def stuck(client: Connection) -> None:
    """Lets the client's kernel buffer run full: from here on it does not read."""
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport also reads
