"""How long the body of a request may be: short, except where it holds messages, which may hold a photograph."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from fastapi.routing import APIRoute
from pydantic import Field, ValidationInfo, field_validator
from starlette.routing import BaseRoute
from starlette.types import Scope

from serving.openapi import bodies_of
from serving.prefix import route_path
from serving.settings import ServerSettings

MIB = 1024 * 1024
USUAL_BYTES = MIB
"""The limit of a body without messages."""
MESSAGES_BYTES = 20 * MIB
MEMORY_BYTES = 256 * MIB
MAX_BODY_BYTES = 64 * MIB
"""The most that may be set. Long bodies are read and written in slices, but also copied whole: 20 MiB in one to five milliseconds."""


class BodySettings(ServerSettings):
    """The settings of a server that takes messages."""

    max_body_bytes: Annotated[int, Field(ge=1024, le=MAX_BODY_BYTES)] = MESSAGES_BYTES
    body_memory_bytes: Annotated[int, Field(ge=1024)] = MEMORY_BYTES

    @field_validator("body_memory_bytes")
    @classmethod
    def _holds_one(cls, value: int, info: ValidationInfo) -> int:
        if value < info.data.get("max_body_bytes", 0):
            raise ValueError("it must not be less than MAX_BODY_BYTES, or no such body would ever have room")
        return value


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """The limits of a server, in bytes: `messages` on the `long_routes`, less on others, and `memory_bytes` for all long bodies."""

    messages: int = MESSAGES_BYTES
    memory_bytes: int = MEMORY_BYTES
    long_routes: tuple[APIRoute, ...] = ()

    @classmethod
    def set_by(cls, settings: BodySettings, routes: Iterable[BaseRoute]) -> BodyLimits:
        """The limits of a server with these routes. A route takes long bodies if the model of its body has messages."""
        long_routes = tuple(route for route in routes if isinstance(route, APIRoute) and _takes_messages(route))
        return cls(settings.max_body_bytes, settings.body_memory_bytes, long_routes)

    @property
    def small(self) -> int:
        """The limit that holds everywhere."""
        return min(USUAL_BYTES, self.messages)

    @property
    def most(self) -> int:
        """The highest limit of any route."""
        return self.messages if self.long_routes else self.small

    def of(self, scope: Scope) -> int:
        """The limit of the route that this request asks for."""
        path = route_path(scope)
        is_long = any(scope["method"] in (route.methods or ()) and route.path_regex.match(path) for route in self.long_routes)
        return self.messages if is_long else self.small

    def told(self, scope: Scope) -> str:
        """The same for a person, with the setting that changes it, if there is one."""
        limit = self.of(scope)
        return f"{limit} bytes" + (" (MAX_BODY_BYTES)" if limit == self.messages else "")


def _takes_messages(route: APIRoute) -> bool:
    return any("messages" in body.model.model_fields for body in bodies_of(route.dependant))
