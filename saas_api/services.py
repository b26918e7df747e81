"""The objects that the lifespan builds and the routes use, in one typed place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from saas_api.auth import Authenticator, Identity
from saas_api.calls import Calls
from saas_api.generations import Generations
from saas_api.jobs import Jobs
from saas_api.model_groups import ModelGroups


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a request handler may need."""

    authenticator: Authenticator
    model_groups: ModelGroups
    jobs: Jobs
    calls: Calls
    generations: Generations


def services_of(request: Request) -> Services:
    """Returns the services of the server that received this request."""
    found: Services = request.app.state.services
    return found


async def _services(request: Request) -> Services:
    return services_of(request)


class VirtualKey(SecurityBase):
    """A dependency: the caller, found by the virtual key. The OpenAPI document shows it with each route that has it."""

    def __init__(self) -> None:
        self.model = HTTPBearer(description="A team's virtual key: `Authorization: Bearer sk-…`.")
        self.scheme_name = "virtual_key"

    async def __call__(self, request: Request) -> Identity:
        """Raises WireError INVALID_KEY."""
        return await services_of(request).authenticator.identify(request.headers.get("authorization"))


ServicesDep = Annotated[Services, Depends(_services)]
IdentityDep = Annotated[Identity, Depends(VirtualKey())]
