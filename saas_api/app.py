"""Wires the gateway: builds its parts when the server starts, and ends them when it stops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute

from hop.shelf import Shelf
from llm_providers import Transport
from saas_api import model_groups, openapi
from saas_api.auth import Authenticator
from saas_api.calls import Calls
from saas_api.generations import Generations
from saas_api.jobs import Jobs
from saas_api.routes import health, jobs, openai
from saas_api.services import Services
from saas_api.settings import Settings
from saas_api.store import MIGRATIONS
from serving import docs
from serving.app import App
from serving.edge import Edge
from serving.limits import BodyLimits
from serving.pauses import keep_pauses_short
from serving.prefix import Prefix
from serving.turnstile import ENDS_PER_PASS, Turnstile
from storage.database import open_database
from storage.ownership import sole_owner

logger = logging.getLogger(__name__)


class Gateway(Edge):
    """The gateway as an ASGI application."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        prefix = Prefix(settings.root_path, app.routes)
        limits = BodyLimits.set_by(settings, app.routes)
        super().__init__(app, hosts=settings.hosts, prefix=prefix, limits=limits, answer=openai.refusal)
        self._state = app.state
        self._drain_timeout_s = settings.drain_timeout_s

    async def drain(self) -> None:
        """Accepts no new calls and gives running ones a moment. Calls that still run then end as `shutting_down`."""
        services: Services | None = getattr(self._state, "services", None)
        if services is not None:
            await services.generations.drain(self._drain_timeout_s)


def create_app(settings: Settings) -> Gateway:
    """Builds the gateway. Its lifespan must run. Raises StartRefused.

    Routers are added route by route, since FastAPI looks each request up twice in an included router: an eighth of a call's cost. Routes
    are tried in this order.
    """

    groups = model_groups.load(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.enter_context(sole_owner(settings.database_url))
            database = await stack.enter_async_context(open_database(settings.database_url, MIGRATIONS, Turnstile(ENDS_PER_PASS).enter))
            authenticator = Authenticator(database, settings.key_pepper.get_secret_value())
            calls = Calls(database, groups)
            with database.at_start():
                await authenticator.ensure_first_team(settings.saas_team_id, settings.saas_virtual_key.get_secret_value())
                await calls.reap(at_start=True)
            transport = await stack.enter_async_context(Transport())
            shelf = Shelf(
                total_bytes=settings.stream_memory_bytes,
                owner_bytes=settings.stream_memory_bytes_per_key,
                retention_s=settings.stream_retention_s,
            )
            generations = Generations(calls, groups, transport, shelf, grace_s=settings.resume_grace_s, root_path=settings.root_path)
            stack.push_async_callback(generations.drain, 0.0)
            await stack.enter_async_context(_background(generations.keep_leases(), keep_pauses_short(lambda: generations.busy)))
            app.state.services = Services(authenticator, groups, Jobs(database), calls, generations)
            yield

    app = App(
        title="saas_api",
        summary="The gateway: virtual keys, jobs, model groups and cost in front of any model provider.",
        version="0.1.0",
        lifespan=lifespan,
        routes=[*_routes(jobs.router, openai.router, health.router), *docs.routes],
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    openapi.complete(app)
    return Gateway(app, settings)


def _routes(*routers: APIRouter) -> list[BaseRoute]:
    return [route for router in routers for route in router.routes]


@asynccontextmanager
async def _background(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs a background task for as long as the context lasts."""
    tasks = [asyncio.create_task(coroutine) for coroutine in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                logger.error("background work failed", exc_info=result)
