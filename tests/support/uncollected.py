"""Runs one of our servers with the garbage collector off, and tells what it holds: `python -m tests.support.uncollected FILE MODULE`.

On SIGUSR1 it writes JSON into FILE: the `objects` that the collector tracks and the `garbage` that only a collection could free, both
counted by type, and how many `tasks` there are. What it found is then freed.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import runpy
import signal
import sys
from collections import Counter
from pathlib import Path


def names(objects: list[object]) -> Counter[str]:
    """How many objects there are of each type."""
    return Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in objects)


def tell(path: Path) -> None:
    """Writes the figures, in one step for whoever waits for the file."""
    objects = names(gc.get_objects())
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    gc.set_debug(0)
    garbage = names(gc.garbage)
    gc.garbage.clear()
    gc.collect()
    figures = {"objects": objects, "tasks": len(asyncio.all_tasks()), "garbage": garbage}
    part = path.with_suffix(".part")
    part.write_text(json.dumps(figures))
    os.replace(part, path)


async def never(*_: object) -> None:
    """In the place of what would collect."""
    await asyncio.Event().wait()


def main() -> None:
    path, module = Path(sys.argv[1]), sys.argv[2]
    gc.disable()
    sys.modules["serving.pauses"] = type(sys)("serving.pauses")
    sys.modules["serving.pauses"].keep_pauses_short = never  # type: ignore[attr-defined]  # a module is an object like others
    signal.signal(signal.SIGUSR1, lambda *_: tell(path))
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
