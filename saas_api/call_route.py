"""A route that opens a call, served with as little as it takes.

FastAPI reads the signature once and documents the route from it. What it then does for each request is made for any dependency there
may be, and was a sixth of the Python that a call runs through; here it is known what an endpoint takes, so its arguments are put together
directly. Overriding `get_route_handler` is FastAPI's own place for that: https://fastapi.tiangolo.com/how-to/custom-request-and-route/
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, get_type_hints

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from saas_api.schemas import NOT_PORTABLE, portable
from saas_api.services import identity_of, services
from serving.media import is_json

Model = TypeVar("Model", bound=BaseModel)

_TAKEN = frozenset({"request", "services", "identity"})


class CallRoute(APIRoute):
    """Its endpoint takes `request`, `services` and `identity`, the parameters of its path as text, and one model: the JSON body.

    It must return a Response. Raises TypeError, when the route is made, for any other signature.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint = self.endpoint
        body, model = _body_of(endpoint, set(self.param_convertors))

        async def handle(request: Request) -> Response:
            identity = await identity_of(request)
            sent = parse(model, request.headers.get("content-type"), await request.body())
            taken = {"request": request, "services": await services(request), "identity": identity, body: sent}
            answer: Response = await endpoint(**request.path_params, **taken)
            return answer

        return handle


def parse(model: type[Model], content_type: str | None, body: bytes) -> Model:
    """The body as this model. Raises RequestValidationError, with the place in the form of FastAPI's own."""
    if not body:
        raise _invalid("missing", "it must be a JSON object")
    if not is_json(content_type):
        raise _invalid("not_json", "it must be JSON, and Content-Type must say application/json")
    try:
        value = portable(json.loads(body))
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise _invalid("json_invalid", "JSON decode error") from None
    except (ValueError, RecursionError):  # the parser's own limits, of digits and levels, are the wider ones
        raise _invalid("not_portable", NOT_PORTABLE) from None
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False)]) from None


def _body_of(endpoint: Callable[..., Any], path: set[str]) -> tuple[str, type[BaseModel]]:
    """The name and the model of the parameter that takes the body."""
    hints = get_type_hints(endpoint)
    names = set(inspect.signature(endpoint).parameters)
    rest = names - _TAKEN - path
    model = hints.get(min(rest, default=""))
    if not names >= _TAKEN | path or len(rest) != 1 or not isinstance(model, type) or not issubclass(model, BaseModel):
        raise TypeError(f"{endpoint.__name__} must take {sorted(_TAKEN | path)} and one model for the body")
    return rest.pop(), model


def _invalid(kind: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"type": kind, "loc": ("body",), "msg": message, "input": None}])
