"""What the routes work with: built once by the app's lifespan, and found again from a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from starlette.requests import Request

from client_server.limits import SessionLimits
from client_server.markdown import Renderer
from client_server.model_groups import ModelGroups
from client_server.sessions import Sessions
from client_server.store import Store
from client_server.templating import Templates
from client_server.turns import Turns


@dataclass(frozen=True, slots=True)
class Services:
    """One of each."""

    sessions: Sessions
    limits: SessionLimits
    store: Store
    turns: Turns
    model_groups: ModelGroups
    renderer: Renderer
    templates: Templates


def services(request: Request) -> Services:
    """The services of the app that serves this request."""
    return cast(Services, request.app.state.services)
