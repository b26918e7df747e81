"""The gateway under a path prefix, whether the proxy passes the prefix on or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import openai
import pytest

from tests.saas_api.conftest import Gateway, make

ROOT = "/v1"
"""A prefix that routes of this server begin with too."""


@pytest.fixture(scope="module")
def under_prefix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with this prefix, which lets ended streams go at once."""
    own = make(tmp_path_factory.mktemp("gateway"), ROOT_PATH=ROOT, STREAM_RETENTION_S="0")
    with own.provider, own.server:
        yield own


@pytest.mark.parametrize("passed_on", ["", ROOT], ids=["removed", "passed on"])
async def test_every_surface_is_there(under_prefix: Gateway, passed_on: str) -> None:
    """Jobs, OpenAI's surface with its own way to refuse, the health check, and the description with the prefix as its server."""
    async with under_prefix.client() as client:
        answer = await client.post(f"{passed_on}/api/jobs/create-and-call", json=under_prefix.call(script="3 1 1"))
        assert answer.status_code == 200
        refused = await client.post(f"{passed_on}/v1/chat/completions", json={"model": "text"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_request")
        assert (await client.get(f"{passed_on}/health")).status_code == 200
        document = (await client.get(f"{passed_on}/openapi.json")).json()
        assert (document["servers"], "/api/jobs/{job_id}" in document["paths"]) == ([{"url": ROOT}], True)
        assert (await client.get(f"{passed_on}/docs")).status_code == 200


async def test_an_address_in_an_error(under_prefix: Gateway) -> None:
    """A stream that is gone names the address of the stored answer, with the prefix, and the answer is there."""
    async with under_prefix.stream(under_prefix.call(script="3 1 1")) as stream:
        job_id, call_id = stream.headers["x-job-id"], stream.headers["x-call-id"]
        await stream.read_all()
    async with under_prefix.client() as client:
        messages: list[str] = []

        async def gone() -> bool:
            response = await client.get(f"/api/jobs/{job_id}/calls/{call_id}/stream")
            messages.append(response.json()["error"]["message"] if response.status_code == 410 else "")
            return bool(messages[-1])

        while not await gone():
            pass
        address = messages[-1].removesuffix(".").split(" ")[-1]
        assert address == f"{ROOT}/api/jobs/{job_id}"
        assert (await client.get(address)).json()["job_id"] == job_id


def test_openais_own_client(under_prefix: Gateway) -> None:
    """With the prefix in its base URL."""
    base_url = f"{under_prefix.url}{ROOT}/v1"
    with closing(openai.OpenAI(base_url=base_url, api_key=under_prefix.credentials["SAAS_VIRTUAL_KEY"])) as client:
        answer = client.chat.completions.create(model="text", messages=[{"role": "user", "content": "3 1 1"}])
    assert answer.choices[0].message.content
