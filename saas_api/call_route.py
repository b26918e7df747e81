"""A route that opens a call, served with as little as it takes.

FastAPI reads the signature once and documents the route from it. What it then does for each request is made for any dependency there
may be, and costs a sixth of a whole call; here it is known what an endpoint takes, so its arguments are put together directly. Overriding
`get_route_handler` is FastAPI's own place for that: https://fastapi.tiangolo.com/how-to/custom-request-and-route/
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

from saas_api.services import Services

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
            services: Services = request.app.state.services
            identity = await services.authenticator.identify(request.headers.get("authorization"))
            sent = parse(model, request.headers.get("content-type"), await request.body())
            given = {**request.path_params, "request": request, "services": services, "identity": identity, body: sent}
            answer: Response = await endpoint(**given)
            return answer

        return handle


def parse(model: type[Model], content_type: str | None, body: bytes) -> Model:
    """The body as this model. Raises RequestValidationError, as FastAPI would."""
    if not body:
        raise _invalid("missing", "Field required")
    if not _is_json(content_type or ""):
        raise _invalid("not_json", "It must be JSON, and Content-Type must say application/json")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise _invalid("json_invalid", "JSON decode error") from None
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False)]) from None


def _body_of(endpoint: Callable[..., Any], path: set[str]) -> tuple[str, type[BaseModel]]:
    """The name and the model of the parameter that takes the body."""
    hints = get_type_hints(endpoint)
    names = set(inspect.signature(endpoint).parameters)
    rest = names - _TAKEN - path
    if not names >= _TAKEN | path or len(rest) != 1 or not issubclass(model := hints[min(rest)], BaseModel):
        raise TypeError(f"{endpoint.__name__} must take {sorted(_TAKEN | path)} and one model for the body")
    return rest.pop(), model


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _invalid(kind: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"type": kind, "loc": ("body",), "msg": message, "input": None}])
