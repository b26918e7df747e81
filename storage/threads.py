"""Threads for calls that block: what a database's driver needs beside an event loop.

An executor returns a result through a future with locks of its own. These keep the interpreter busy when the loop could already go on, so a
round trip takes twice as long. Here, a queue in C carries the calls, and the thread tells the loop itself.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeVar

Result = TypeVar("Result")

_Call = tuple[Callable[..., Any], tuple[Any, ...], "asyncio.Future[Any]"]


class Threads:
    """A number of threads, for the tasks of the event loop it was made in. Leaving the context waits until all calls are done."""

    def __init__(self, name: str, count: int = 1) -> None:
        self._loop = asyncio.get_running_loop()
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._work, name=name, daemon=True) for _ in range(count)]
        self._closed = False

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closed = True
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()

    async def run(self, function: Callable[..., Result], *args: Any) -> Result:
        """The function's result. Raises what it raises, which must not be StopIteration, and RuntimeError once the context is left.

        Cancelling the caller does not take the call back.
        """
        if self._closed:
            raise RuntimeError("the threads take no more calls")
        home: asyncio.Future[Result] = self._loop.create_future()
        self._calls.put((function, args, home))
        return await home

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            self._answer(*call)
            del call  # nothing is held while the thread waits

    def _answer(self, function: Callable[..., Any], args: tuple[Any, ...], home: asyncio.Future[Any]) -> None:
        try:
            result = function(*args)
        except BaseException as error:
            self._tell(_fail, home, error)
        else:
            self._tell(_succeed, home, result)

    def _tell(self, how: Callable[..., None], home: asyncio.Future[Any], what: Any) -> None:
        with suppress(RuntimeError):  # the loop has been closed: nobody waits any more
            self._loop.call_soon_threadsafe(how, home, what)


def _succeed(home: asyncio.Future[Any], result: Any) -> None:
    if not home.done():  # its caller may have left
        home.set_result(result)


def _fail(home: asyncio.Future[Any], error: BaseException) -> None:
    if not home.done():
        home.set_exception(error)
