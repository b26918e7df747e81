"""Checks a value strictly against a schema of an OpenAPI document: anything unknown to the schema or to this checker is a fault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_CHECKED = {"$ref", "type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "const"}
_SAID = {"title", "description", "default", "example"}


def faults(value: Any, schema: Mapping[str, Any], document: Mapping[str, Any], place: str = "$") -> list[str]:
    """What is wrong with the value, and where. A field that the schema does not name is wrong unless the schema explicitly allows it."""
    return list(_faults(value, schema, document, place))


def _faults(value: Any, schema: Mapping[str, Any], document: Mapping[str, Any], place: str) -> Iterator[str]:
    unknown = schema.keys() - _CHECKED - _SAID
    if unknown:
        raise NotImplementedError(f"{place}: the schema has {sorted(unknown)}, which is not checked here")
    if "$ref" in schema:
        yield from _faults(value, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document, place)
    if "type" in schema and not _is(value, schema["type"]):
        yield f"{place}: {value!r} is not of type {schema['type']}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place}: {value!r} is none of {schema['enum']}"
    if "const" in schema and value != schema["const"]:
        yield f"{place}: {value!r} is not {schema['const']!r}"
    if "anyOf" in schema and not any(not faults(value, choice, document, place) for choice in schema["anyOf"]):
        yield f"{place}: {value!r} is none of what it may be"
    if isinstance(value, dict):
        yield from _faults_of_object(value, schema, document, place)
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from _faults(item, schema["items"], document, f"{place}[{index}]")


def _faults_of_object(value: dict[str, Any], schema: Mapping[str, Any], document: Mapping[str, Any], place: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    yield from (f"{place}.{name} is missing" for name in schema.get("required", ()) if name not in value)
    for name, member in value.items():
        if name in properties:
            yield from _faults(member, properties[name], document, f"{place}.{name}")
        elif properties and not schema.get("additionalProperties"):
            yield f"{place}.{name} is not in the document"


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and not (isinstance(value, bool) and kind in ("integer", "number"))
