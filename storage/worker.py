"""A thread for calls that block, one after the other: what a database's driver needs beside an event loop.

`concurrent.futures` brings a result home through a future with locks of its own, chained to the loop's, which takes half as long again or
more. Here there is one thread and one loop, so a queue in C and `call_soon_threadsafe` are enough.
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


class Worker:
    """One thread, for the tasks of the event loop it was made in. A context manager: leaving it waits until what was asked is done."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._closed = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closed = True
        self._calls.put(None)
        self._thread.join()

    async def run(self, function: Callable[..., Result], *args: Any) -> Result:
        """Calls the function in the thread; its result. Raises what it raises, and RuntimeError once the worker has been left.

        Cancelling the caller does not take the call back.
        """
        if self._closed:
            raise RuntimeError(f"{self._thread.name} takes no more calls")
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
        except StopIteration as error:  # which no future can hold
            stopped = RuntimeError(f"{function!r} raised StopIteration")
            stopped.__cause__ = error
            self._tell(_fail, home, stopped)
        except BaseException as error:
            self._tell(_fail, home, error)
        else:
            self._tell(_succeed, home, result)

    def _tell(self, how: Callable[..., None], home: asyncio.Future[Any], what: Any) -> None:
        with suppress(RuntimeError):  # the loop has been closed: nobody waits any more
            self._loop.call_soon_threadsafe(how, home, what)


def _succeed(home: asyncio.Future[Any], result: Any) -> None:
    if not home.done():
        home.set_result(result)


def _fail(home: asyncio.Future[Any], error: BaseException) -> None:
    if not home.done():
        home.set_exception(error)
