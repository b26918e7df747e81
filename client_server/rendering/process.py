"""The server's side of the rendering process: started when needed, replaced when it dies, ended with the server.

Strategy. Rendering is pure Python: in a thread it would hold the interpreter, and with it all streams of this process. The process
renders one text at a time (`worker.py`). It inherits no socket and no secret, only two pipes and four environment variables. We do not
use multiprocessing, because it imports the server's own module again and cannot end a worker that hangs.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress

from markupsafe import Markup

from client_server.rendering.markdown import plain
from client_server.rendering.worker import written

PATIENCE_S = 10.0
"""How long a text may take, with its wait for earlier texts. After that it is shown as plain text."""
MAX_TEXTS = 500
"""How many texts one process renders. Memory that its libraries keep ends with it."""

_START = "import sys; sys.path[:] = sys.argv[1:]; from client_server.rendering.worker import main; main()"
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")


class RenderingProcess:
    """Renders texts one after another."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._process: Process | None = None
        self._texts = 0

    async def render(self, text: str) -> Markup:
        """Returns the text as safe HTML, or as plain text if that takes too much work or time."""
        try:
            async with asyncio.timeout(PATIENCE_S), self._turn:
                return await self._render(text)
        except OSError:  # no process could be started; or TimeoutError, which is one
            return plain(text)

    async def close(self) -> None:
        """Ends the process."""
        async with self._turn:
            await self._end()

    async def _render(self, text: str) -> Markup:
        for _ in range(2):  # the process may have been killed unnoticed since the last text
            try:
                return Markup(await _exchange(await self._running(), text))  # noqa: S704  # it comes from `Markdown`
            except (ConnectionError, asyncio.IncompleteReadError):
                if await self._end() == -signal.SIGPROF:
                    break  # the text took too long and would do so again
            except BaseException:
                await self._end()  # otherwise its answer would count for the next text
                raise
        return plain(text)

    async def _running(self) -> Process:
        if self._texts >= MAX_TEXTS or (self._process is not None and _streams(self._process)[0].is_closing()):
            await self._end()
        if self._process is None:
            environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", _START, *sys.path, stdin=PIPE, stdout=PIPE, env=environment, start_new_session=True
            )
        self._texts += 1
        return self._process

    async def _end(self) -> int | None:
        """Kills the process, if there is one, and returns how it ended."""
        process, self._process, self._texts = self._process, None, 0
        if process is None:
            return None
        if process.returncode is None:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(process.pid, signal.SIGKILL)  # Python 3.11's `process.kill()` may lose the exit that `wait` waits for
        ended = await process.wait()
        sink, _ = _streams(process)
        sink.close()
        with suppress(ConnectionError):  # what could not be written any more; nobody else would ask for this error
            await sink.wait_closed()
        return ended


async def _exchange(process: Process, text: str) -> str:
    sink, source = _streams(process)
    sink.write(written(text))
    await sink.drain()
    size = int.from_bytes(await source.readexactly(4), "big")
    return (await source.readexactly(size)).decode()


def _streams(process: Process) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
    assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018  # it was started with pipes
    return process.stdin, process.stdout
