"""Statements that write, rendered once for each connection.

SQLAlchemy does the same work each time that it hands a statement to SQLite's driver, and that costs more than what SQLite then does. A
prepared statement keeps the SQL and how each value is converted. It goes straight to the driver's connection, within SQLAlchemy's
transaction. On any other driver, SQLAlchemy executes the statement.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError, InvalidRequestError, StatementError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase

Value = Callable[[Mapping[str, Any]], Any]
"""A parameter's value in the driver's terms, from a row."""


class Prepared:
    """An INSERT, UPDATE or DELETE whose rows have the same names each time: its columns, or its bound parameters.

    It cannot hold an IN, nor a column's own default: InvalidRequestError says so at the first execution.
    """

    def __init__(self, statement: UpdateBase) -> None:
        self.statement = statement

    def execute(self, connection: Connection, *rows: dict[str, Any]) -> int:
        """Executes the statement for each row. Returns how many rows of the table it has changed. Raises SQLAlchemyError.

        The connection must be in a transaction: only the end of SQLAlchemy's transaction ends the driver's own.
        """
        if not is_direct(connection):
            return connection.execute(self.statement, list(rows) if len(rows) > 1 else rows[0]).rowcount
        if not connection.in_transaction():
            raise InvalidRequestError("a prepared statement must be executed in a transaction")
        kept = connection.info
        if self not in kept:
            kept[self] = _render(self.statement, connection.dialect, list(rows[0]))
        sql, names, parameters = kept[self]
        try:
            if any(row.keys() != names for row in rows):
                raise ValueError(f"a row's names must be {sorted(names)}")
            return execute_directly(connection, sql, [[value(row) for value in parameters] for row in rows])
        except (TypeError, ValueError) as error:
            raise StatementError(str(error), sql, None, error) from error


def is_direct(connection: Connection) -> bool:
    """Whether statements may go straight to the connection's driver, which is then Python's own sqlite3."""
    return connection.dialect.driver == "pysqlite"


def execute_directly(connection: Connection, sql: str, rows: Sequence[Sequence[Any]] = ((),)) -> int:
    """Hands SQL to the sqlite3 connection, once for each row of parameters. Returns how many rows have changed. Raises DBAPIError."""
    driver: Any = connection.connection.driver_connection
    try:
        cursor = driver.execute(sql, rows[0]) if len(rows) == 1 else driver.executemany(sql, rows)
    except sqlite3.Error as error:
        raise DBAPIError.instance(sql, None, error, sqlite3.Error, dialect=connection.dialect) from error
    return int(cursor.rowcount)


def _render(statement: UpdateBase, dialect: Dialect, names: Sequence[str]) -> tuple[str, set[str], list[Value]]:
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    if compiled.insert_prefetch or compiled.update_prefetch or compiled.post_compile_params:
        raise InvalidRequestError("a prepared statement holds no column's own default and no IN")
    return str(compiled), set(names), [_value(name, compiled, dialect) for name in compiled.positiontup or ()]


def _value(name: str, compiled: SQLCompiler, dialect: Dialect) -> Value:
    bound = compiled.binds[name]
    convert = bound.type.dialect_impl(dialect).bind_processor(dialect)
    if not bound.required:
        constant = bound.value if convert is None else convert(bound.value)
        return lambda row: constant
    if convert is None:
        return itemgetter(name)
    return lambda row: convert(row[name])
