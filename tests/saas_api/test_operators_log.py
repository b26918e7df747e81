"""Why a deployment failed is in the operator's log: one line for each attempt, with the call, the model and the provider's own words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.script import PROVIDER_DETAIL
from tests.saas_api.conftest import Gateway, make
from tests.support.certificates import make_certificates
from tests.support.ports import free_port
from tests.support.scripted import upstream
from tests.support.served import until

BEHAVIOURS = ("status-400", "status-401", "status-429", "status-500", "error-frame")


def models(bases: dict[str, str]) -> str:
    """A group for each of these addresses, and one that asks them all."""

    def deployment(name: str) -> str:
        return f'[[model_group.deployment]]\nmodel = "openai/{name}"\napi_base = "{bases[name]}"\n'

    groups = {name: [name] for name in bases} | {"all": list(bases)}
    return "".join(f'[[model_group]]\nname = "{group}"\n' + "".join(map(deployment, names)) for group, names in groups.items())


def failures(gateway: Gateway) -> list[dict[str, Any]]:
    """The lines about failed attempts."""
    lines = [json.loads(line) for line in gateway.server.stderr.splitlines() if line.startswith("{")]
    return [line for line in lines if line["logger"] == "saas_api.attempts" and line["level"] == "WARNING"]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway of the scripted provider that logs what `make run` logs."""
    own = make(tmp_path_factory.mktemp("log"), LOG_LEVEL="WARNING")
    Path(own.server.env["SAAS_API_MODELS_FILE"]).write_text(models({f"bench+{name}": own.provider.api_base for name in BEHAVIOURS}))
    with own.provider, own.server:
        yield own


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
async def test_the_providers_words_are_for_the_operator(gateway: Gateway, behaviour: str) -> None:
    """They are in one line, and not in the answer."""
    async with gateway.stream(gateway.call(f"bench+{behaviour}")) as stream:
        raw = await stream.read_all()
    call_id = stream.headers["x-call-id"]
    (line,) = [line for line in failures(gateway) if call_id in line["message"]]
    assert line["message"].startswith(f"the call {call_id} failed at openai/bench+{behaviour}: The model provider")
    assert PROVIDER_DETAIL in line["message"]
    assert stream.headers["x-request-id"] == line["request_id"]
    assert PROVIDER_DETAIL not in raw.decode()


async def test_each_way_of_not_being_reached_is_told_apart(make_gateway: Callable[..., Gateway], tmp_path: Path) -> None:
    """Each attempt of a call has its own line. The reader hears one sentence of ours."""
    certificates = make_certificates(tmp_path / "certificates")
    refusing = free_port()
    async with upstream(tls=certificates.server_context()) as untrusted:
        bases = {"refused": f"http://127.0.0.1:{refusing}", "unknown": "http://nobody.invalid", "untrusted": untrusted.url}
        path = tmp_path / "own.toml"
        path.write_text(models(bases))
        gateway = await asyncio.to_thread(make_gateway, SAAS_API_MODELS_FILE=str(path), LOG_LEVEL="WARNING")
        async with gateway.client() as client:
            answer = await client.post("/api/jobs/create-and-call", json=gateway.call("all"))
    await until(lambda: len(failures(gateway)) == 3)
    said = [line["message"].partition(" failed at ")[2] for line in failures(gateway)]
    place = untrusted.url.removeprefix("https://")
    assert f"openai/refused: The model provider cannot be reached: 127.0.0.1:{refusing} refuses connections" == said[0]
    assert "openai/unknown: The model provider cannot be reached: the name of nobody.invalid:80 is unknown" == said[1]
    assert said[2].startswith(f"openai/untrusted: The model provider cannot be reached: the certificate of {place} is not trusted: ")
    assert "The model provider cannot be reached." == answer.json()["error"]["message"]
