"""A gateway and a middle tier in front of a provider that plays the table of answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.answers.cases import CASES, Case
from tests.answers.provider import answering
from tests.support.chain import client_server, saas_api
from tests.support.server import Server
from tests.support.streams import Stream, open_stream
from tests.web.conftest import ARGUMENTS

GROUP = """
[[model_group]]
name = "chat-fast"

[[model_group.deployment]]
model = "openai/model"
api_base = "{api_base}"
timeout_first_token_s = 6
timeout_idle_s = 6
"""


class Servers:
    """A gateway and a middle tier in front of the provider that plays the cases."""

    def __init__(self, gateway: Server, middle: Server, data_dir: Path) -> None:
        self.gateway = gateway
        self.middle = middle
        lines = (data_dir / "credentials.env").read_text().splitlines()
        self.credentials = dict(line.split("=", 1) for line in lines)

    async def through_the_gateway(self, case: Case) -> Stream:
        body: dict[str, Any] = {"team_id": self.credentials["SAAS_TEAM_ID"], "job_type": "test", "model_group": "chat-fast"}
        body["messages"] = [{"role": "user", "content": case.id}]
        headers = {"Authorization": f"Bearer {self.credentials['SAAS_VIRTUAL_KEY']}"}
        return await _read(self.gateway.url + "/api/jobs/create-and-call-stream", body, headers)

    async def through_both(self, case: Case) -> Stream:
        return await _read(self.middle.url + "/api/chat/stream", {"message": case.id}, {})


async def _read(url: str, body: Any, headers: dict[str, str]) -> Stream:
    async with open_stream(url, body=body, headers=headers) as stream:
        await stream.read_all()
    return stream


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("answers")
    with answering({case.id: case for case in CASES}) as api_base:
        models = folder / "models.toml"
        models.write_text(GROUP.format(api_base=api_base))
        env = {"DATA_DIR": str(folder / "data"), "SAAS_API_MODELS_FILE": str(models)}
        gateway = saas_api(folder / "saas_api", env)
        with gateway, client_server(folder / "client_server", env | {"SAAS_API_URL": gateway.url}) as middle:
            yield Servers(gateway, middle, folder / "data")


@pytest.fixture(scope="module")
def page(chromium: str, servers: Servers) -> Iterator[Page]:
    """The middle tier's page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        tab = browser.new_page()
        tab.goto(servers.middle.url)
        yield tab
        browser.close()
