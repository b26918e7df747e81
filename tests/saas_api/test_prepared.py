"""Prepared statements do what SQLAlchemy does with the same statements, in both servers' stores."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import JSON, Boolean, Column, Connection, Double, MetaData, String, Table, bindparam, create_engine, insert, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

import client_server.store.prepared
import saas_api.store.prepared
from saas_api.jobs import JobStatus

PREPARED = [saas_api.store.prepared.Prepared, client_server.store.prepared.Prepared]

things = Table(
    "things",
    MetaData(),
    Column("id", String(10), primary_key=True),
    Column("state", String(20), nullable=False),
    Column("done", Boolean),
    Column("data", JSON(none_as_null=True)),
    Column("at", Double),
)
UPDATE = (
    update(things)
    .where(things.c.id == bindparam("of"), things.c.state == JobStatus.PENDING)
    .values(state=bindparam("new"), data=bindparam("found"), done=True)
)


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        things.metadata.create_all(connection)
        connection.commit()
        yield connection
    engine.dispose()


def rows(connection: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(select(things).order_by(things.c.id)).mappings()]


def thing(name: str, **values: Any) -> dict[str, Any]:
    return {"id": name, "state": JobStatus.PENDING, "done": False, "data": {"of": [name, None]}, "at": 1.5} | values


@pytest.mark.parametrize("prepared", PREPARED)
def test_the_same_rows_as_sqlalchemy_writes(connection: Connection, prepared: Any) -> None:
    """Types are converted, constants stand where they stood, and what has changed is counted."""
    written = [
        thing("a"),
        thing("b", data=None, at=None),
        thing("c", state="over", done=None, data="é\ud800".encode("utf-8", "replace").decode()),
    ]
    connection.execute(insert(things), written)
    expected = rows(connection)
    connection.rollback()

    statement = prepared(insert(things))
    assert statement.execute(connection, written[0]) == 1
    assert statement.execute(connection, *written[1:]) == 2
    assert rows(connection) == expected

    change = prepared(UPDATE)
    assert change.execute(connection, {"of": "a", "new": "over", "found": {"x": 1}}) == 1
    assert change.execute(connection, {"of": "a", "new": "again", "found": None}) == 0, "it is pending no more"
    assert change.execute(connection, {"of": "c", "new": "again", "found": None}, {"of": "b", "new": "over", "found": None}) == 1
    assert [(row["state"], row["done"], row["data"]) for row in rows(connection)][:2] == [("over", True, {"x": 1}), ("over", True, None)]


@pytest.mark.parametrize("prepared", PREPARED)
def test_it_belongs_to_the_transaction(connection: Connection, prepared: Any) -> None:
    """It is taken back with the rest."""
    statement = prepared(insert(things))
    with pytest.raises(ZeroDivisionError), connection.begin():
        statement.execute(connection, thing("a"))
        raise ZeroDivisionError
    assert rows(connection) == []


@pytest.mark.parametrize("prepared", PREPARED)
def test_errors_are_sqlalchemys(connection: Connection, prepared: Any) -> None:
    """Callers that know what a broken constraint is need not know the driver; a row of other names is a mistake."""
    statement = prepared(insert(things))
    statement.execute(connection, thing("a"))
    with pytest.raises(IntegrityError) as raised:
        statement.execute(connection, thing("a"))
    assert isinstance(raised.value.orig, sqlite3.IntegrityError)
    connection.rollback()
    things.drop(connection)
    with pytest.raises(OperationalError):
        statement.execute(connection, thing("b"))
    with pytest.raises(KeyError):
        statement.execute(connection, {"id": "c"})
