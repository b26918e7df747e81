"""The JSON body of a request as a model, if every hop can write it again.

It is a dependency and not a body parameter, because FastAPI reads a body parameter before any dependency. Here, what stands before the body
in a route's signature is checked first, such as the caller's key. `serving.openapi` documents the body.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import orjson
from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from serving.errors import invalid, malformed
from serving.media import is_json
from wire.errors import ErrorCode, WireError

Model = TypeVar("Model", bound=BaseModel)

NOT_PORTABLE = "body: it must hold no half of a surrogate pair, no integer beyond 64 bits, and at most 250 levels"


def parse(model: type[Model], content_type: str | None, body: bytes) -> Model:
    """The body as this model. Raises WireError INVALID_REQUEST: 400 if it cannot be read, 422 if a field is wrong."""
    if not body:
        raise WireError(ErrorCode.INVALID_REQUEST, "body: it must be a JSON object", status=422)
    if not is_json(content_type):
        raise WireError(ErrorCode.INVALID_REQUEST, "body: it must be JSON, and Content-Type must say application/json", status=422)
    value = _portable(body)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise invalid(error.errors(include_url=False, include_input=False, include_context=False)) from None


def _portable(body: bytes) -> Any:
    """The value, if every hop and database can write it again. The parser accepts more than that, but refusing it later would be wrong."""
    try:
        value = json.loads(body)
        orjson.dumps([value])
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise malformed("The request's body is not valid JSON.") from None
    except (TypeError, ValueError, RecursionError):  # orjson's limits, and the parser's own, wider ones of digits and levels
        raise malformed(NOT_PORTABLE) from None
    return value


class JsonBody(Generic[Model]):
    """The dependency."""

    def __init__(self, model: type[Model]) -> None:
        self.model = model

    async def __call__(self, request: Request) -> Model:
        """Raises WireError as `parse` does."""
        return parse(self.model, request.headers.get("content-type"), await request.body())


if TYPE_CHECKING:
    Json = Annotated[Model, "the body"]
else:

    class Json:
        """`body: Json[Model]` in a route's signature."""

        def __class_getitem__(cls, model: type[BaseModel]) -> Any:
            return Annotated[model, Depends(JsonBody(model))]
