"""A JSON schema is filled from the prompt, and the result always has the schema's shape."""

from __future__ import annotations

import json
from enum import Enum
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from demo_llm.clues import pairs
from demo_llm.extraction import fill, schema_in


class Person(BaseModel):
    name: str
    age: int
    occupation: str
    skills: list[str]


class Priority(Enum):
    LOW = "low"
    HIGH = "high"


class Address(BaseModel):
    city: str
    zip_code: str | None


class Ticket(BaseModel):
    email: str
    priority: Priority
    due: str = Field(json_schema_extra={"format": "date"})
    quantity: int = Field(ge=1, le=10)
    urgent: bool
    address: Address
    kind: Literal["bug", "wish"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "John Smith is a 35 year old software engineer who knows Python, FastAPI and SQL.",
            {"name": "John Smith", "age": 35, "occupation": "software engineer", "skills": ["Python", "FastAPI", "SQL"]},
        ),
        (
            "name: Ada Lovelace; age: 36; occupation: mathematician; skills: analysis, poetry",
            {"name": "Ada Lovelace", "age": 36, "occupation": "mathematician", "skills": ["analysis", "poetry"]},
        ),
        (
            "My name is Zoë Ångström and I'm 41 years old. I work as a nurse.",
            {"name": "Zoë Ångström", "age": 41, "occupation": "nurse", "skills": []},
        ),
    ],
)
def test_a_person_is_found(text: str, expected: dict[str, Any]) -> None:
    """Names, ages, occupations and lists are found both in sentences and after labels."""
    assert Person.model_validate(fill(Person.model_json_schema(), text)).model_dump() == expected


def test_formats_enums_bounds_and_references_are_met() -> None:
    """Values from the text get the form that the schema wants."""
    text = "An urgent bug of high priority, write to ops@example.org by 2026-03-01, quantity: 99, the address is in Berlin"
    ticket = Ticket.model_validate(fill(Ticket.model_json_schema(), text))
    assert ticket == Ticket(
        email="ops@example.org",
        priority=Priority.HIGH,
        due="2026-03-01",
        quantity=10,
        urgent=True,
        address=Address(city="Berlin", zip_code=None),
        kind="bug",
    )


def test_an_empty_text_still_gives_the_shape() -> None:
    """A property that the text does not mention gets the plainest value that the schema allows."""
    assert Ticket.model_validate(fill(Ticket.model_json_schema(), "")).quantity == 1


def test_two_numbers_go_to_two_names() -> None:
    """A number that one property has taken is not given to another."""
    schema = {"type": "object", "properties": {"first": {"type": "integer"}, "second": {"type": "number"}}}
    assert fill(schema, "add 17 and 25.5") == {"first": 17, "second": 25.5}


def test_a_schema_in_the_instructions_is_seen() -> None:
    """A schema that a client writes into a system message is found."""
    schema = Person.model_json_schema()
    assert schema_in(f"Answer as JSON {{like this}}: {json.dumps(schema)} and nothing else") == schema
    assert schema_in("no { schema } here") is None


def test_pairs_are_read_without_a_schema() -> None:
    """Each `key: value` becomes a member; a text without such pairs becomes the `answer`."""
    assert pairs("city: Paris, days: 3") == {"city": "Paris", "days": 3}
    assert pairs("just words") == {"answer": "just words"}


def test_a_schema_that_refers_to_itself_comes_to_an_end() -> None:
    """A recursive schema, however deep or broad, does not hold up the server."""
    properties = {f"child{index}": {"$ref": "#"} for index in range(10)}
    json.dumps(fill({"type": "object", "properties": properties, "required": list(properties)}, "x"))


_KEYWORDS = st.sampled_from(
    [
        "type",
        "properties",
        "items",
        "required",
        "enum",
        "const",
        "$ref",
        "anyOf",
        "allOf",
        "format",
        "minItems",
        "maxLength",
        "minimum",
        "default",
    ]
)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["object", "array", "string", "integer", "number", "#", "#/a", "date", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYWORDS | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(_KEYWORDS, _VALUES, max_size=6), st.text(max_size=80))
def test_no_schema_breaks_it(schema: dict[str, Any], text: str) -> None:
    """Whatever a client sends as a schema, the answer is JSON."""
    json.dumps(fill(schema, text))
