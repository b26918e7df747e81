"""What the routes work with: the objects that the lifespan builds, in one typed place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

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


async def services(request: Request) -> Services:
    """The server's services; a dependency."""
    found: Services = request.app.state.services
    return found


async def identity(request: Request) -> Identity:
    """The caller, by the virtual key; a dependency. Raises WireError INVALID_KEY."""
    found: Services = request.app.state.services
    return await found.authenticator.identify(request.headers.get("authorization"))


ServicesDep = Annotated[Services, Depends(services)]
IdentityDep = Annotated[Identity, Depends(identity)]
