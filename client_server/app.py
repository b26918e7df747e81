"""Wires the middle tier: builds its parts when the server starts, and ends them when it stops."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp

from client_server import openapi
from client_server.limits import SessionLimits
from client_server.model_groups import ModelGroups
from client_server.rendering.renderer import Renderer
from client_server.rendering.templates import Templates
from client_server.routes import api, health, page, turns
from client_server.routes.errors import answer
from client_server.services import Services
from client_server.sessions import Sessions
from client_server.settings import Settings
from client_server.store import Store, open_store
from client_server.turns import Turns
from client_server.upkeep import Upkeep
from hop.door import unusable_proxy
from hop.shelf import Shelf
from saas_client import SaaSLLMClient
from serving import docs
from serving.app import App
from serving.edge import Edge
from serving.limits import BodyLimits
from serving.prefix import Prefix
from serving.settings import StartRefused
from serving.turnstile import ENDS_PER_PASS, Turnstile
from storage.ownership import sole_owner


def create_app(settings: Settings) -> ASGIApp:
    """Builds the server as an ASGI application. Its lifespan must run. Raises StartRefused."""
    if (proxy := unusable_proxy(settings.saas_api_url)) is not None:
        raise StartRefused(*proxy)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        client = SaaSLLMClient(
            settings.saas_api_url,
            settings.saas_virtual_key.get_secret_value(),
            settings.saas_team_id,
            answer_patience_s=settings.answer_patience_s,
        )
        async with AsyncExitStack() as stack:
            stack.enter_context(sole_owner(settings.database_url))
            store = await stack.enter_async_context(open_store(settings.database_url, Turnstile(ENDS_PER_PASS).enter))
            with store.at_start():
                await stack.enter_async_context(client)
                running = await stack.enter_async_context(
                    Turns(
                        client,
                        store,
                        _shelf(settings),
                        notes=settings.data_dir / "client_server.shown",
                        grace_s=settings.resume_grace_s,
                        wait_s=settings.gateway_wait_s,
                    )
                )
                renderer = await stack.enter_async_context(Renderer())
                upkeep = await stack.enter_async_context(_upkeep(settings, store))
                await running.recover()
            app.state.services = Services(
                sessions=Sessions(settings.session_secret.get_secret_value()),
                limits=SessionLimits(turns_per_minute=settings.session_turns_per_minute, open_streams=settings.session_open_streams),
                store=store,
                upkeep=upkeep,
                turns=running,
                model_groups=ModelGroups(client),
                renderer=renderer,
                templates=Templates(settings.root_path),
            )
            yield

    routes = [*api.router.routes, *turns.router.routes, *page.routes, *health.router.routes]  # tried in this order
    app = App(
        title="client_server",
        summary="The middle tier: sessions, conversations and turns between a page, or any other program, and the gateway.",
        version="0.1.0",
        lifespan=lifespan,
        routes=[*routes, *docs.routes],
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    openapi.complete(app)
    prefix, limits = Prefix(settings.root_path, app.routes), BodyLimits.set_by(settings, app.routes)
    return Edge(app, hosts=settings.hosts, prefix=prefix, limits=limits, answer=answer)


def _upkeep(settings: Settings, store: Store) -> Upkeep:
    return Upkeep(store, most=settings.sessions_max, unused_s=settings.session_unused_s, retention_s=settings.session_retention_s)


def _shelf(settings: Settings) -> Shelf:
    return Shelf(
        total_bytes=settings.stream_memory_bytes,
        owner_bytes=settings.stream_memory_bytes_per_session,
        retention_s=settings.stream_retention_s,
    )
