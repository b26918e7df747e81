"""The gateway with the scripted provider, and short names for what the tests ask of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.chain import models_toml, saas_api
from tests.support.provider import Provider
from tests.support.server import Server
from tests.support.streams import Stream, open_stream


@dataclass
class Gateway:
    """A running gateway, its provider, and the demo team's credentials."""

    server: Server
    provider: Provider
    data_dir: Path

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def credentials(self) -> dict[str, str]:
        lines = (self.data_dir / "credentials.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    @property
    def key(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.credentials['SAAS_VIRTUAL_KEY']}"}

    @property
    def team_id(self) -> str:
        return self.credentials["SAAS_TEAM_ID"]

    def call(self, group: str = "text", script: str = "20 2 2", **more: Any) -> dict[str, Any]:
        """The body of a create-and-call: the model group is the provider's behaviour, the message its script."""
        body = {"team_id": self.team_id, "job_type": "test", "model_group": group}
        return body | {"messages": [{"role": "user", "content": script}]} | more

    def stream(self, body: Any, path: str = "/api/jobs/create-and-call-stream", **headers: str) -> AbstractAsyncContextManager[Stream]:
        return open_stream(self.url + path, body=body, headers=self.key | headers)

    def resume(self, job_id: str, call_id: str, last_event_id: int | None) -> AbstractAsyncContextManager[Stream]:
        return open_stream(f"{self.url}/api/jobs/{job_id}/calls/{call_id}/stream", headers=self.key, last_event_id=last_event_id)

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, headers=self.key, timeout=20)


def make(folder: Path, **env: str) -> Gateway:
    """A gateway and its provider, not yet started."""
    provider = Provider(folder / "provider")
    models = folder / "models.toml"
    models.write_text(models_toml(provider.api_base, 1.0, 1.0))
    data_dir = folder / "data"
    server = saas_api(folder / "saas_api", {"DATA_DIR": str(data_dir), "SAAS_API_MODELS_FILE": str(models)} | env)
    return Gateway(server, provider, data_dir)


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that all tests of this process share and none stops. One second of silence is a timeout there."""
    shared = make(tmp_path_factory.mktemp("gateway"))
    with shared.provider, shared.server:
        yield shared


@pytest.fixture
def make_gateway(tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    """Starts a gateway of the test's own, with these settings."""
    made: list[Gateway] = []

    def start(**env: str) -> Gateway:
        own = make(tmp_path / str(len(made)), **env)
        made.append(own)
        own.provider.start()
        own.server.start()
        return own

    yield start
    for own in made:
        own.server.stop()
        own.provider.stop()


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client with the demo team's key."""
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(gateway.client())
