"""Column types for what people and models write, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Dialect, String, Text
from sqlalchemy.types import TypeDecorator


class _WithoutNul(TypeDecorator[str]):
    """PostgreSQL's text cannot hold U+0000: there it becomes U+FFFD, the replacement character."""

    impl: type[String] = String
    cache_ok = True  # SQLAlchemy asks this of each class

    def bind_processor(self, dialect: Dialect) -> Callable[[str | None], Any] | None:
        return _replace_nul if dialect.name == "postgresql" else None


class Line(_WithoutNul):
    """Text of a bounded length."""

    cache_ok = True


class Words(_WithoutNul):
    """Text of any length."""

    impl = Text
    cache_ok = True


def _replace_nul(text: str | None) -> str | None:
    return None if text is None else text.replace("\0", "\ufffd")
