"""No call leaves a cycle behind, however it ends: a gateway that never collects holds no more after a thousand calls than before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.chain import models_toml
from tests.support.holding import Uncollected, leaves_nothing
from tests.support.provider import Provider
from tests.support.swarm import Ending, Exchange, leave, leave_unheard, post, swarm, to_the_end

CALLS = 1000

JOBS = "/api/jobs/create-and-call-stream"
WHOLE = "/api/jobs/create-and-call"
OPENAI = "/v1/chat/completions"

WAYS: dict[str, tuple[str, str, str, Ending | None]] = {
    "finished": (JOBS, "text", "20 0 0", to_the_end),
    "reader left in mid-answer": (JOBS, "text", "2000 5 0", leave),
    "reader left before the first token": (JOBS, "text", "20 0 400", leave_unheard),
    "cancelled": (JOBS, "text", "2000 5 0", None),
    "failed before the first token": (JOBS, "status-500", "20 0 0", to_the_end),
    "cut in mid-answer": (JOBS, "drop", "20 0 0", to_the_end),
    "an error in mid-answer": (JOBS, "error-frame", "20 0 0", to_the_end),
    "not JSON in mid-answer": (JOBS, "bad-json", "20 0 0", to_the_end),
    "silent in mid-answer": (JOBS, "stall", "20 0 0", to_the_end),
    "whole": (WHOLE, "text", "20 0 0", to_the_end),
    "whole, client left": (WHOLE, "text", "20 20 200", leave_unheard),
    "whole, failed": (WHOLE, "status-503", "20 0 0", to_the_end),
    "the OpenAI surface": (OPENAI, "text", "20 0 0", to_the_end),
    "the OpenAI surface, client left": (OPENAI, "text", "2000 5 0", leave),
    "the OpenAI surface, failed": (OPENAI, "status-500", "20 0 0", to_the_end),
}


class Bench:
    """A gateway that never collects, its provider, and the ways of calling it."""

    def __init__(self, folder: Path) -> None:
        self.provider = Provider(folder / "provider")
        models, self._data = folder / "models.toml", folder / "data"
        models.write_text(models_toml(self.provider.api_base, 0.5, 0.5))
        env = {"DATA_DIR": str(self._data), "SAAS_API_MODELS_FILE": str(models), "STREAM_RETENTION_S": "0", "RESUME_GRACE_S": "0.2"}
        self.server = Uncollected("saas_api", folder / "saas_api", port_variable="SAAS_API_PORT", env=env | {"LOG_LEVEL": "ERROR"})

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.credentials()['SAAS_VIRTUAL_KEY']}"}

    def credentials(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in (self._data / "credentials.env").read_text().splitlines())

    async def call(self, way: str, count: int) -> None:
        """That many calls that end in this way."""
        path, group, script, ending = WAYS[way]
        body: dict[str, Any] = {"model_group": group, "messages": [{"role": "user", "content": script}]}
        if path == OPENAI:
            body = {"model": group, "messages": body["messages"], "stream": True}
        else:
            body |= {"team_id": self.credentials()["SAAS_TEAM_ID"], "job_type": "test"}
        headers = self.headers()

        async def cancel(exchange: Exchange) -> None:
            ids = await exchange.head()
            await exchange.first_chunk()
            await post(self.server.port, f"/api/jobs/{ids['x-job-id']}/calls/{ids['x-call-id']}/cancel", None, headers, to_the_end)
            await exchange.rest()

        await swarm(count, lambda _number: post(self.server.port, path, body, headers, ending or cancel))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("garbage"))
    with made.provider, made.server:
        yield made


@pytest.mark.parametrize("way", WAYS)
async def test_a_call_leaves_nothing_behind(bench: Bench, way: str) -> None:
    """Neither garbage nor objects nor tasks grow with the number of calls."""
    await leaves_nothing(bench.server, 200 if "silent" in way else CALLS, lambda count: bench.call(way, count))


async def test_a_refused_key_leaves_nothing_behind(bench: Bench) -> None:
    """Whoever guesses keys costs no memory either."""

    async def guess(count: int) -> None:
        body = {"model": "text", "messages": [{"role": "user", "content": "x"}]}
        await swarm(count, lambda number: post(bench.server.port, OPENAI, body, {"Authorization": f"Bearer sk-{number:040}"}, to_the_end))

    await leaves_nothing(bench.server, CALLS, guess)
