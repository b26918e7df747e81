"""`storage.prepared`: prepared statements do what SQLAlchemy does with the same statements."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Double,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, InvalidRequestError, OperationalError, StatementError

from storage.prepared import Prepared


class State(StrEnum):
    PENDING = "pending"


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
    .where(things.c.id == bindparam("of"), things.c.state == State.PENDING)
    .values(state=bindparam("new"), data=bindparam("found"), done=True)
)


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        things.metadata.create_all(connection)
        connection.commit()
        connection.begin()
        yield connection
    engine.dispose()


def rows(connection: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(select(things).order_by(things.c.id)).mappings()]


def thing(name: str, **values: Any) -> dict[str, Any]:
    return {"id": name, "state": State.PENDING, "done": False, "data": {"of": [name, None]}, "at": 1.5} | values


def test_the_same_rows_as_sqlalchemy_writes(connection: Connection) -> None:
    """Types are converted, constants stay in their places, and changed rows are counted."""
    written = [
        thing("a"),
        thing("b", data=None, at=None),
        thing("c", state="over", done=None, data="é\ud800".encode("utf-8", "replace").decode()),
    ]
    connection.execute(insert(things), written)
    expected = rows(connection)
    connection.rollback()
    connection.begin()

    statement = Prepared(insert(things))
    assert statement.execute(connection, written[0]) == 1
    assert statement.execute(connection, *written[1:]) == 2
    assert rows(connection) == expected

    change = Prepared(UPDATE)
    assert change.execute(connection, {"of": "a", "new": "over", "found": {"x": 1}}) == 1
    assert change.execute(connection, {"of": "a", "new": "again", "found": None}) == 0, "it is pending no more"
    assert change.execute(connection, {"of": "c", "new": "again", "found": None}, {"of": "b", "new": "over", "found": None}) == 1
    assert [(row["state"], row["done"], row["data"]) for row in rows(connection)][:2] == [("over", True, {"x": 1}), ("over", True, None)]


def test_it_belongs_to_the_transaction(connection: Connection) -> None:
    """It is rolled back with the rest."""
    statement = Prepared(insert(things))
    connection.commit()
    with pytest.raises(ZeroDivisionError), connection.begin():
        statement.execute(connection, thing("a"))
        raise ZeroDivisionError
    assert rows(connection) == []


def test_errors_are_sqlalchemys(connection: Connection) -> None:
    """A broken constraint raises SQLAlchemy's error and not the driver's; a row of other names is a mistake."""
    statement = Prepared(insert(things))
    statement.execute(connection, thing("a"))
    with pytest.raises(IntegrityError) as raised:
        statement.execute(connection, thing("a"))
    assert isinstance(raised.value.orig, sqlite3.IntegrityError)
    connection.rollback()
    assert rows(connection) == [], "the first went with the second"
    things.drop(connection)
    with pytest.raises(OperationalError):
        statement.execute(connection, thing("b"))
    things.metadata.create_all(connection)
    for wrong in ({"id": "c"}, thing("c") | {"more": 1}, thing("c", data={"x": object()}), thing("c", done="perhaps")):
        with pytest.raises(StatementError):
            statement.execute(connection, wrong)


def test_what_it_cannot_do_is_told(connection: Connection) -> None:
    """Nothing is written outside of a transaction, and neither a default nor an IN is lost in silence."""
    connection.commit()
    with pytest.raises(InvalidRequestError, match="transaction"):
        Prepared(insert(things)).execute(connection, thing("a"))
    with connection.begin():
        with pytest.raises(InvalidRequestError, match="IN"):
            Prepared(delete(things).where(things.c.id.in_(["a", "b"]))).execute(connection, {})
        others = Table("others", MetaData(), Column("id", String), Column("at", Double, default=time.time))
        with pytest.raises(InvalidRequestError, match="default"):
            Prepared(insert(others)).execute(connection, {"id": "a"})
