"""Fills a JSON schema from the words of a prompt.

Strategy. Each property is looked up in the text (`demo_llm.clues`). A property that the text lacks gets the plainest value that the schema
allows, so the result always has the schema's shape. Types, enum, const, formats, bounds, `$ref`, and the first branch of anyOf, oneOf
and allOf that is not null are supported. Patterns are not. Schemas come from strangers, so depth, sizes and the step count are bounded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from demo_llm.clues import FORMATS, Clues

Schema = Mapping[str, Any]

_MISSING = object()
_DEEPEST = 8
_MOST_STEPS = 2000
_LARGEST = 1000
_BRANCHES = ("anyOf", "oneOf", "allOf")
_PLAIN_FORMATS = {
    "email": "nobody@example.com",
    "uri": "https://example.com/",
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00",
    "uuid": "00000000-0000-0000-0000-000000000000",
}


def fill(schema: Schema, text: str) -> Any:
    """A value of the schema's shape, taken from the text as far as possible."""
    filler = _Filler(schema, Clues(text))
    found = filler.find("", schema, 0)
    return filler.plain(schema, 0) if found is _MISSING else found


def schema_in(text: str) -> Schema | None:
    """The first JSON schema of an object in the text. Some clients write it into the instructions."""
    decoder = json.JSONDecoder()
    for match in list(re.finditer(r"\{", text))[:50]:
        try:
            value, _ = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and isinstance(value.get("properties"), dict):
            return value
    return None


class _Filler:
    """Fills one schema from one text."""

    def __init__(self, root: Schema, clues: Clues) -> None:
        self.root = root
        self.clues = clues
        self.steps = 0

    def find(self, name: str, schema: Any, depth: int) -> Any:
        """The value from the text, or _MISSING."""
        schema = self.resolve(schema)
        self.steps += 1
        if depth > _DEEPEST or self.steps > _MOST_STEPS:
            return _MISSING
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list):
            return next((option for option in schema["enum"] if self.clues.mentions(str(option))), _MISSING)
        kind = _type(schema)
        if kind == "object":
            return self.object(schema, depth)
        if kind == "array":
            return self.array(name, schema, depth)
        if kind == "string":
            return self.string(name, schema)
        found: bool | float | None = None
        if kind in ("integer", "number"):
            found = self.clues.number(name, whole=kind == "integer")
            found = None if found is None else _within(found, schema)
        elif kind == "boolean":
            found = self.clues.boolean(name)
        return _MISSING if found is None else found

    def object(self, schema: Schema, depth: int) -> dict[str, Any]:
        """The properties that were found or are required. A required property that was not found is null if the schema allows it."""
        properties, required = schema.get("properties"), schema.get("required")
        result: dict[str, Any] = {}
        for name, inner in (properties if isinstance(properties, dict) else {}).items():
            found = self.find(name, inner, depth + 1)
            if found is not _MISSING:
                result[name] = found
            elif isinstance(required, list) and name in required:
                result[name] = None if _nullable(inner) else self.plain(inner, depth + 1)
        return result

    def array(self, name: str, schema: Schema, depth: int) -> Any:
        """The items from the text, filled up with plain values to the schema's minimum."""
        items = self.resolve(schema.get("items"))
        kind = _type(items)
        values: list[Any]
        if isinstance(items.get("enum"), list):
            values = [option for option in items["enum"] if self.clues.mentions(str(option))]
        elif kind == "object":
            values = [self.object(items, depth + 1)]
        elif kind in ("integer", "number"):
            values = [_within(number, items) for number in self.clues.numbers(whole=kind == "integer")]
        else:
            values = list(self.clues.listing(name)) if kind == "string" else []
        while len(values) < _size(schema, "minItems", 0):
            values.append(self.plain(items, depth + 1))
        return values[: _size(schema, "maxItems", _LARGEST)] if values else _MISSING

    def string(self, name: str, schema: Schema) -> Any:
        shape = schema.get("format")
        found = self.clues.of_format(shape) if isinstance(shape, str) and shape in FORMATS else self.clues.string(name)
        return _MISSING if found is None else _sized(found, schema)

    def plain(self, schema: Any, depth: int) -> Any:
        """The plainest value that the schema allows."""
        schema = self.resolve(schema)
        self.steps += 1
        for key in ("const", "default"):
            if key in schema:
                return schema[key]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return schema["enum"][0]
        kind = _type(schema)
        if kind in ("object", "array"):
            empty: Any = {} if kind == "object" else []
            if depth > _DEEPEST or self.steps > _MOST_STEPS:
                return empty
            if kind == "object":
                return self.object(schema, depth)
            return [self.plain(schema.get("items"), depth + 1) for _ in range(_size(schema, "minItems", 0))]
        if kind in ("integer", "number"):
            return _within(0, schema)
        if kind in ("boolean", "null"):
            return False if kind == "boolean" else None
        return _sized(_PLAIN_FORMATS.get(str(schema.get("format")), "unknown"), schema)

    def resolve(self, schema: Any) -> Schema:
        """The schema with its references followed and its first non-null branch merged in."""
        for _ in range(_DEEPEST):
            if not isinstance(schema, dict):
                break
            branches = next((schema[key] for key in _BRANCHES if isinstance(schema.get(key), list)), None)
            if isinstance(schema.get("$ref"), str):
                chosen = self.target(schema["$ref"])
            elif branches:
                chosen = next((branch for branch in branches if isinstance(branch, dict) and branch.get("type") != "null"), {})
            else:
                return schema
            schema = {**{key: value for key, value in schema.items() if key not in ("$ref", *_BRANCHES)}, **chosen}
        return {}

    def target(self, reference: str) -> Schema:
        """The target of a reference into this schema. A reference elsewhere gives an empty schema."""
        node: Any = self.root
        for part in reference.removeprefix("#").split("/")[1:]:
            node = node.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
        return node if isinstance(node, dict) and reference.startswith("#") else {}


def _type(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    if isinstance(kind, str):
        return kind
    return "object" if "properties" in schema else "string"


def _nullable(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return False
    kind, branches = schema.get("type"), schema.get("anyOf") or schema.get("oneOf")
    of_branch = isinstance(branches, list) and any(isinstance(each, dict) and each.get("type") == "null" for each in branches)
    return kind == "null" or (isinstance(kind, list) and "null" in kind) or of_branch


def _size(schema: Schema, key: str, default: int) -> int:
    size = schema.get(key)
    return min(max(size, 0), _LARGEST) if isinstance(size, int) else default


def _sized(text: str, schema: Schema) -> str:
    """The text cut or padded to the schema's lengths."""
    return text[: _size(schema, "maxLength", len(text))].ljust(_size(schema, "minLength", 0), ".")


def _within(value: float, schema: Schema) -> float:
    """The nearest value inside the schema's bounds. It stays 1 away from an exclusive bound."""
    for key, fits, move in (("minimum", 1, 0), ("exclusiveMinimum", 1, 1), ("maximum", -1, 0), ("exclusiveMaximum", -1, -1)):
        bound = schema.get(key)
        if isinstance(bound, int | float) and (value * fits < bound * fits or (move and value == bound)):
            value = bound + move
    return value
