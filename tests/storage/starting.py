"""`python -m tests.storage.starting URL MIGRATIONS` opens a database when it is told to, and says how that went."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from storage.database import open_database
from storage.migrations import StorageError


async def start(url: str, migrations: Path) -> None:
    """Opens the database and closes it again."""
    async with open_database(url, migrations):
        pass


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(url: str, migrations: str) -> None:
    """Waits for a line of standard input, so that several can begin at the same moment."""
    say("ready")
    sys.stdin.readline()
    try:
        asyncio.run(start(url, Path(migrations)))
    except StorageError as error:
        say(str(error))
    else:
        say("open")


if __name__ == "__main__":
    main(*sys.argv[1:])
