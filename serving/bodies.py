"""The JSON body of a request as a model, if every hop can write it again.

It is a dependency and not a body parameter, because FastAPI reads a body parameter before any dependency. Here, what stands before the body
in a route's signature is checked first, such as the caller's key. `serving.openapi` documents the body.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Annotated, Any, Generic, NoReturn, TypeVar

import orjson
from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from hop.slices import NotJson, decode, read_in_slices
from serving.errors import invalid, malformed
from serving.media import is_json
from wire.errors import ErrorCode, WireError

Model = TypeVar("Model", bound=BaseModel)

SHORT = 32 * 1024
"""Bytes of a body that is read at once: a few milliseconds for what takes longest. A longer one lets the streams have their turn."""
MAX_VALUES = 50_000
"""Numbers, texts, lists and objects in one body: what is done with it afterwards takes a time for each of them."""

NOT_JSON = "The request's body is not valid JSON."
NOT_PORTABLE = "body: it must hold no half of a surrogate pair, no integer beyond 64 bits, and at most 250 levels"

_TEXTS = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)


async def parse(model: type[Model], content_type: str | None, body: bytes) -> Model:
    """Returns the body as this model.

    Raises WireError INVALID_REQUEST (400 if it cannot be read, 422 if a field is wrong), and TOO_LARGE for too many values.
    """
    if not body:
        raise WireError(ErrorCode.INVALID_REQUEST, "body: it must be a JSON object", status=422)
    if not is_json(content_type):
        raise WireError(ErrorCode.INVALID_REQUEST, "body: it must be JSON, and Content-Type must say application/json", status=422)
    value = await read_json(body)
    try:
        found = model.model_validate(value)
    except ValidationError as error:
        raise invalid(error.errors(include_url=False, include_input=False, include_context=False)) from None
    if len(body) > SHORT:
        await asyncio.sleep(0)
    return found


async def read_json(body: bytes) -> Any:
    """The value, if every hop and database can write it again. The parser accepts more than that, but refusing it later would be wrong.

    Raises WireError INVALID_REQUEST, and TOO_LARGE for too many values.
    """
    try:
        if len(body) > SHORT:
            value = await read_in_slices((await decode(body)).removeprefix("\ufeff"), check=_Portable())
            await asyncio.sleep(0)  # what comes next takes its time too
        else:
            value = json.loads(body.decode("utf-8-sig"), parse_constant=_refuse)
            orjson.dumps([value])
    except (json.JSONDecodeError, NotJson, UnicodeDecodeError):
        raise malformed(NOT_JSON) from None
    except (TypeError, ValueError, RecursionError):  # orjson's limits, and the parser's own, wider ones of digits and levels
        raise malformed(NOT_PORTABLE) from None
    return value


def _refuse(_constant: str) -> NoReturn:
    """JSON has no NaN and no Infinity."""
    raise NotJson


class _Portable:
    """Looks at each piece of a long body as `read_json` does at a short one, and counts its values."""

    def __init__(self) -> None:
        self._values = 0

    def __call__(self, value: Any, level: int, text: str) -> None:
        for _ in range(level + 1):
            value = [value]
        orjson.dumps(value)
        outside = _TEXTS.sub("", text)
        self._values += 1 + outside.count(",") + outside.count("[") + outside.count("{")
        if self._values > MAX_VALUES:
            raise WireError(ErrorCode.TOO_LARGE, f"The request's body holds more than {MAX_VALUES} values.")


class JsonBody(Generic[Model]):
    """The dependency."""

    def __init__(self, model: type[Model]) -> None:
        self.model = model

    async def __call__(self, request: Request) -> Model:
        """Raises WireError as `parse` does."""
        parts = [part async for part in request.stream() if part]  # behind our edge one; `request.body` would keep it
        return await parse(self.model, request.headers.get("content-type"), b"".join(parts))


if TYPE_CHECKING:
    Json = Annotated[Model, "the body"]
else:

    class Json:
        """`body: Json[Model]` in a route's signature."""

        def __class_getitem__(cls, model: type[BaseModel]) -> Any:
            return Annotated[model, Depends(JsonBody(model))]
