"""The statements of a call's opening and settlement, rendered once.

On its way from a statement to SQLite's driver SQLAlchemy works out the same each time, which costs more than what SQLite then does. A
prepared statement keeps the SQL and how each value is converted, and goes to the driver's connection itself. Errors are SQLAlchemy's, as
ever. On any other driver SQLAlchemy executes the statement.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase

_DRIVER = "pysqlite"  # SQLAlchemy's name for the one over sqlite3

Value = Callable[[Mapping[str, Any]], Any]
"""A parameter's value in the driver's terms, from a row."""


class Prepared:
    """An INSERT, UPDATE or DELETE whose rows have the same names each time: its columns, or its bound parameters."""

    def __init__(self, statement: UpdateBase) -> None:
        self.statement = statement
        self._rendered: tuple[str, list[Value]] | None = None

    def execute(self, connection: Connection, *rows: dict[str, Any]) -> int:
        """Executes the statement for each row; how many rows of the table it has changed. Raises SQLAlchemyError, KeyError."""
        if connection.dialect.driver != _DRIVER:
            return connection.execute(self.statement, list(rows) if len(rows) > 1 else rows[0]).rowcount
        if self._rendered is None:
            self._rendered = _render(self.statement, connection.dialect, list(rows[0]))
        sql, parameters = self._rendered
        values = [[value(row) for value in parameters] for row in rows]
        driver: Any = connection.connection.driver_connection
        try:
            cursor = driver.execute(sql, values[0]) if len(values) == 1 else driver.executemany(sql, values)
        except sqlite3.Error as error:
            raise DBAPIError.instance(sql, values, error, sqlite3.Error, dialect=connection.dialect) from error
        return int(cursor.rowcount)


def _render(statement: UpdateBase, dialect: Dialect, names: Sequence[str]) -> tuple[str, list[Value]]:
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    assert isinstance(compiled, SQLCompiler)  # noqa: S101  # what compile gives for a statement; tells the type checker
    return str(compiled), [_value(name, compiled, dialect) for name in compiled.positiontup or ()]


def _value(name: str, compiled: SQLCompiler, dialect: Dialect) -> Value:
    bound = compiled.binds[name]
    convert = bound.type.dialect_impl(dialect).bind_processor(dialect)
    if not bound.required:
        constant = bound.value if convert is None else convert(bound.value)
        return lambda row: constant
    if convert is None:
        return itemgetter(name)
    return lambda row: convert(row[name])
