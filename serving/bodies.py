"""The JSON body of a request as a model: what every hop can write again, and nothing else.

It is a dependency and not a body parameter of FastAPI's, which reads the body before any dependency: here what stands before it in a
route's signature is checked first, such as the caller's key. `serving.openapi` documents it.
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
    """The body as this model. Raises WireError INVALID_REQUEST: 400 where it cannot be read, 422 where a field is wrong."""
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
    """The value, which every hop and database can write again. The parser takes more than that: it is wrong to refuse it further on."""
    try:
        value = json.loads(body)
        orjson.dumps([value])
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise malformed("The request's body is not valid JSON.") from None
    except (TypeError, ValueError, RecursionError):  # orjson's limits, and the parser's own of digits and levels, which are wider
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
