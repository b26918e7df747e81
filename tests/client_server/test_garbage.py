"""No turn leaves a cycle behind, however it ends. After a thousand turns, a server without garbage collection holds no more than before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from saas_client._client import KEEPALIVE_S
from tests.support.chain import models_toml, saas_api
from tests.support.holding import Uncollected, leaves_nothing
from tests.support.provider import Provider
from tests.support.server import Server
from tests.support.swarm import Ending, leave, leave_unheard, post, swarm, to_the_end

TURNS = 1000

STREAM, WHOLE = "/api/chat/stream", "/api/chat"

WAYS: dict[str, tuple[str, str, str, Ending]] = {
    "finished": (STREAM, "text", "20 0 0", to_the_end),
    "reader left in mid-answer": (STREAM, "text", "2000 5 0", leave),
    "reader left before the first token": (STREAM, "text", "20 0 400", leave_unheard),
    "failed before the first token": (STREAM, "status-500", "20 0 0", to_the_end),
    "cut in mid-answer": (STREAM, "drop", "20 0 0", to_the_end),
    "an error in mid-answer": (STREAM, "error-frame", "20 0 0", to_the_end),
    "whole": (WHOLE, "text", "20 0 0", to_the_end),
    "whole, client left": (WHOLE, "text", "20 20 200", leave_unheard),
    "whole, failed": (WHOLE, "status-503", "20 0 0", to_the_end),
    "refused": (STREAM, "no such group", "20 0 0", to_the_end),
    "malformed": (STREAM, "", "20 0 0", to_the_end),
}


class Bench:
    """A middle tier without garbage collection, in front of a gateway and its provider."""

    def __init__(self, folder: Path) -> None:
        self.provider = Provider(folder / "provider")
        models = folder / "models.toml"
        models.write_text(models_toml(self.provider.api_base, 0.5, 0.5))
        env = {"DATA_DIR": str(folder / "data"), "STREAM_RETENTION_S": "0", "RESUME_GRACE_S": "0.2", "LOG_LEVEL": "ERROR"}
        self.gateway: Server = saas_api(folder / "saas_api", env | {"SAAS_API_MODELS_FILE": str(models)})
        self.server = Uncollected(
            "client_server", folder / "client_server", port_variable="CLIENT_SERVER_PORT", env=env | {"SAAS_API_URL": self.gateway.url}
        )

    async def ask(self, way: str, count: int) -> None:
        """Asks for this many turns, all of which end in this way."""
        path, group, script, ending = WAYS[way]
        body = {"model_group": group, "message": script}
        await swarm(count, lambda _number: post(self.server.port, path, body, {}, ending))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("garbage"))
    with made.provider, made.gateway, made.server:
        yield made


@pytest.mark.parametrize("way", WAYS)
async def test_a_turn_leaves_nothing_behind(bench: Bench, way: str) -> None:
    """Neither garbage nor objects nor tasks grow with the number of turns."""
    settle_s = KEEPALIVE_S + 2 if way.startswith("reader left") else 0  # they are stopped together, each on a connection of its own
    await leaves_nothing(bench.server, TURNS, lambda count: bench.ask(way, count), settle_s=settle_s)
