"""A deployment is chosen for each attempt: one that fails before its first token gives way to the next, and the receipt names both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.script import expected_text
from tests.saas_api.conftest import Gateway, make
from tests.support.ports import free_port
from tests.support.streams import content_of

BEFORE = {
    "status-401": "upstream_error",
    "out-of-quota": "upstream_error",
    "status-429": "rate_limited",
    "status-500": "upstream_error",
    "status-503": "upstream_unavailable",
    "hang": "upstream_timeout",
    "refused": "upstream_unavailable",
}
"""What a deployment can do before its first token, and the code of its attempt."""
AFTER = {"stall": "upstream_timeout", "drop": "upstream_truncated", "error-frame": "upstream_error", "bad-json": "upstream_protocol"}
"""The same after its first token."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose groups `first-BEHAVIOUR` ask a misbehaving deployment first and a good one after that."""
    own = make(tmp_path_factory.mktemp("attempts"))
    models = Path(own.server.env["SAAS_API_MODELS_FILE"])
    models.write_text(models.read_text() + "".join(group(own.provider.api_base, behaviour) for behaviour in BEFORE | AFTER))
    with own.provider, own.server:
        yield own


def group(api_base: str, behaviour: str) -> str:
    first = f"http://127.0.0.1:{free_port()}/v1" if behaviour == "refused" else api_base
    deployments = "".join(
        f"""
[[model_group.deployment]]
model = "openai/bench+{model}"
api_base = "{base}"
input_usd_per_million = 1.0
output_usd_per_million = {price}
timeout_first_token_s = 1.0
timeout_idle_s = 1.0
timeout_whole_s = 2.0
"""
        for model, base, price in ((behaviour, first, 5.0), ("text", api_base, 2.0))
    )
    return f'\n[[model_group]]\nname = "first-{behaviour}"\n{deployments}'


def check_attempts(attempts: list[dict[str, Any]], behaviour: str) -> None:
    failed, finished = attempts
    assert (f"openai/bench+{behaviour}", "failed", BEFORE[behaviour]) == (failed["model"], failed["outcome"], failed["error_code"])
    assert ("openai/bench+text", "finished", None) == (finished["model"], finished["outcome"], finished["error_code"])
    assert failed["first_token_us"] is None
    assert failed["started_us"] <= failed["ended_us"] <= finished["started_us"] < finished["first_token_us"] <= finished["ended_us"]
    assert (None, 20) == (failed["usage"], finished["usage"]["completion_tokens"])


@pytest.mark.parametrize("behaviour", BEFORE)
async def test_a_stream_goes_on_with_the_next_deployment(gateway: Gateway, behaviour: str) -> None:
    """The reader gets the whole answer once; receipt and job name both attempts; the price is the one of the deployment that answered."""
    async with gateway.stream(gateway.call(f"first-{behaviour}")) as stream:
        await stream.read_all()
    assert expected_text(20) == content_of(stream.frames)
    assert list(range(len(stream.frames) - 1)) == [frame.id for frame in stream.frames[:-1]]
    receipt = next(frame.json() for frame in stream.frames if frame.event == "receipt")
    check_attempts(receipt["attempts"], behaviour)
    assert ("finished", "openai/bench+text") == (receipt["status"], receipt["resolved_model"])
    usage = receipt["usage"]
    assert f"0.{usage['prompt_tokens'] + 2 * usage['completion_tokens']:06d}" == receipt["cost_usd"]
    async with gateway.client() as client:
        (call,) = (await client.get(f"/api/jobs/{receipt['job_id']}")).json()["calls"]
    assert receipt["attempts"] == call["attempts"]


@pytest.mark.parametrize("behaviour", BEFORE)
async def test_a_whole_answer_comes_from_the_next_deployment(gateway: Gateway, behaviour: str) -> None:
    """Without streaming it is the same."""
    async with gateway.client() as client:
        answer = (await client.post("/api/jobs/create-and-call", json=gateway.call(f"first-{behaviour}"))).json()
    assert expected_text(20) == answer["choices"][0]["message"]["content"]
    check_attempts(answer["saas"]["receipt"]["attempts"], behaviour)


@pytest.mark.parametrize("behaviour", AFTER)
async def test_after_the_first_token_nothing_is_tried_again(gateway: Gateway, behaviour: str) -> None:
    """The reader keeps what came, hears what happened, and no word comes twice."""
    async with gateway.stream(gateway.call(f"first-{behaviour}")) as stream:
        await stream.read_all()
    assert expected_text(10) == content_of(stream.frames)
    assert AFTER[behaviour] == stream.frames[-1].json()["error"]["code"]
    receipt = next(frame.json() for frame in stream.frames if frame.event == "receipt")
    (attempt,) = receipt["attempts"]
    assert (f"openai/bench+{behaviour}", "failed", AFTER[behaviour]) == (attempt["model"], attempt["outcome"], attempt["error_code"])
