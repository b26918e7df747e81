"""What the two kinds of database have in common: what they offer, and how they write JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import URL

from storage.works import Work


@dataclass(frozen=True, slots=True)
class Engine:
    """An open database, its tables up to date.

    `transact` runs works in one transaction and answers as `works.call_each` does; `read` runs one work that only reads.
    `embedded` says that the database is this process's own.
    """

    url: URL
    embedded: bool
    transact: Callable[[Sequence[Work]], Awaitable[Sequence[Any]]]
    read: Callable[[Work], Awaitable[Any]]


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


JSON: Mapping[str, Any] = {"json_serializer": _dumps, "json_deserializer": orjson.loads}
"""What every SQLAlchemy engine of ours is made with."""
