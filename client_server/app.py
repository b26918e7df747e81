"""The middle tier, put together: this file builds everything once and ends it again, and nothing else does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp

from client_server.errors import HANDLERS
from client_server.limits import SessionLimits
from client_server.markdown import Renderer
from client_server.model_groups import ModelGroups
from client_server.recovery import recover
from client_server.routes import api, chat, health, pages
from client_server.services import Services
from client_server.sessions import Sessions
from client_server.settings import Settings
from client_server.store import open_store
from client_server.templating import Templates
from client_server.turns import Turns
from saas_client import SaaSLLMClient
from serving.edge import Edge
from serving.turnstile import ENDS_PER_PASS, Turnstile


def create_app(settings: Settings) -> ASGIApp:
    """The server as an ASGI application. Its lifespan must run."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        client = SaaSLLMClient(str(settings.saas_api_url), settings.saas_virtual_key.get_secret_value(), settings.saas_team_id)
        async with (
            open_store(settings.database_url, Turnstile(ENDS_PER_PASS).enter) as store,
            client,
            Turns(client, store, retention_s=settings.stream_retention_s, grace_s=settings.resume_grace_s) as turns,
        ):
            app.state.services = Services(
                sessions=Sessions(settings.session_secret.get_secret_value()),
                limits=SessionLimits(turns_per_minute=settings.session_turns_per_minute, open_streams=settings.session_open_streams),
                store=store,
                turns=turns,
                model_groups=ModelGroups(client),
                renderer=Renderer(),
                templates=Templates(),
            )
            await recover(store, turns)
            yield

    routes = [*api.routes, *chat.routes, *pages.routes, *health.routes]  # looked through in this order, for every request
    app = FastAPI(
        title="client_server", routes=routes, exception_handlers=dict(HANDLERS), lifespan=lifespan, redirect_slashes=False, openapi_url=None
    )
    return Edge(app, hosts=settings.hosts)
