"""The whole chain as real processes: a provider, the gateway and the middle tier, with a separate data directory.

With the scripted provider, each behaviour is a model group with the same name (`text`, `drop`, …), and the built-in groups'
names mean `text`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from tests.support.provider import BEHAVIOURS, Provider
from tests.support.server import Server

BUILT_IN_GROUPS = ("chat-fast", "chat-balanced", "chat-quality")


class Chain:
    """`provider` ← `saas_api` ← `client_server`, as a context manager that starts them and stops them at the end.

    `env` goes to all servers. The timeouts apply to every deployment of the scripted provider.
    """

    def __init__(
        self,
        folder: Path,
        *,
        provider: Literal["scripted", "demo"] = "scripted",
        env: Mapping[str, str] | None = None,
        timeout_first_token_s: float = 5.0,
        timeout_idle_s: float = 5.0,
    ) -> None:
        self.data_dir = folder / "data"
        common = {"DATA_DIR": str(self.data_dir)} | dict(env or {})
        self.scripted: Provider | None = Provider(folder / "provider") if provider == "scripted" else None
        self.demo: Server | None = demo_llm(folder / "provider", common) if provider == "demo" else None
        if self.scripted is not None:
            models = folder / "models.toml"
            models.write_text(models_toml(self.scripted.api_base, timeout_first_token_s, timeout_idle_s))
            common["SAAS_API_MODELS_FILE"] = str(models)
        elif self.demo is not None:
            common["DEMO_LLM_PORT"] = str(self.demo.port)
        self.saas_api = saas_api(folder / "saas_api", common)
        self.client_server = client_server(folder / "client_server", common | {"SAAS_API_URL": self.saas_api.url})

    @property
    def provider(self) -> Provider:
        """The scripted provider. Raises RuntimeError if the chain has the demo model instead."""
        if self.scripted is None:
            raise RuntimeError("this chain runs the demo model")
        return self.scripted

    @property
    def servers(self) -> list[Server]:
        """All processes, upstream first."""
        return [server for server in (self.scripted, self.demo, self.saas_api, self.client_server) if server is not None]

    @property
    def url(self) -> str:
        """The address of the page."""
        return self.client_server.url

    def credentials(self) -> dict[str, str]:
        """What the servers generated at their first start, by name."""
        lines = (self.data_dir / "credentials.env").read_text().splitlines()
        return {name: value for name, separator, value in (line.partition("=") for line in lines) if separator}

    def key_header(self) -> dict[str, str]:
        """The header that identifies the demo team to the gateway."""
        return {"Authorization": f"Bearer {self.credentials()['SAAS_VIRTUAL_KEY']}"}

    def start(self) -> None:
        """Starts all servers at once and waits until each one serves."""
        for server in self.servers:
            server.launch()
        for server in self.servers:
            server.wait_until_healthy()

    def stop(self) -> None:
        """Stops all servers, the one nearest the browser first."""
        for server in reversed(self.servers):
            server.stop()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def demo_llm(folder: Path, env: Mapping[str, str] | None = None) -> Server:
    """The built-in provider, not yet started."""
    return Server("demo_llm", folder, port_variable="DEMO_LLM_PORT", env=env)


def saas_api(folder: Path, env: Mapping[str, str] | None = None) -> Server:
    """The gateway, not yet started."""
    return Server("saas_api", folder, port_variable="SAAS_API_PORT", env=env)


def client_server(folder: Path, env: Mapping[str, str] | None = None) -> Server:
    """The middle tier, not yet started."""
    return Server("client_server", folder, port_variable="CLIENT_SERVER_PORT", env=env)


def models_toml(api_base: str, timeout_first_token_s: float, timeout_idle_s: float) -> str:
    """A models file with one group for each behaviour of the provider at `api_base`."""
    groups = dict.fromkeys(BUILT_IN_GROUPS, "text") | {name: name for name in BEHAVIOURS}
    return "\n".join(
        f"""
[[model_group]]
name = "{group}"

[[model_group.deployment]]
model = "openai/bench+{behaviour}"
api_base = "{api_base}"
input_usd_per_million = 1.0
output_usd_per_million = 2.0
timeout_first_token_s = {timeout_first_token_s}
timeout_idle_s = {timeout_idle_s}
timeout_whole_s = {timeout_first_token_s + timeout_idle_s}
"""
        for group, behaviour in groups.items()
    )
