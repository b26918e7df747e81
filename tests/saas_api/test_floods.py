"""A provider that floods the gateway: the call ends with an error that names the limit, memory stays, and another stream goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import pairwise

import pytest

from bench.processes import resident_kib
from tests.saas_api.conftest import Gateway, make
from tests.support.chain import models_toml
from tests.support.floods import flooding
from tests.support.streams import Stream, content_of

CHUNKS = 150
BESIDE = f"{CHUNKS} 20 0"


@pytest.fixture(scope="module")
def flooded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with a flooding provider behind the group `flood`, and the usual one behind the others."""
    folder = tmp_path_factory.mktemp("flooded")
    gateway = make(folder)
    with flooding() as api_base, gateway.provider:
        models = folder / "models.toml"
        floods = models_toml(api_base, 5.0, 5.0).split("[[model_group]]")[1].replace('"chat-fast"', '"flood"')
        models.write_text(models.read_text() + "\n[[model_group]]" + floods)
        with gateway.server:
            yield gateway


async def read(gateway: Gateway, group: str, script: str) -> Stream:
    async with gateway.stream(gateway.call(group, script)) as stream:
        await stream.read_all()
    return stream


ENDS = {
    "comments": ("upstream_truncated", "ended without being finished"),
    "line": ("upstream_protocol", "4194304 bytes"),
    "frames": None,
    "nested": ("upstream_protocol", "not JSON"),
    "gzip": ("upstream_protocol", "compressed"),
    "head": ("upstream_protocol", "65536 bytes"),
}


@pytest.mark.parametrize("kind", ENDS)
async def test_a_flood_in_a_stream(flooded: Gateway, kind: str) -> None:
    """Its own call fails, or is whole if it was a lot but no nonsense. A usual answer beside it goes on."""
    await read(flooded, "text", "5 0 0")
    before = resident_kib([flooded.server.pid])
    beside = asyncio.create_task(read(flooded, "text", BESIDE))
    await asyncio.sleep(0.3)
    stream = await read(flooded, "flood", kind)
    usual = await beside
    expected = ENDS[kind]
    if expected is None:
        assert stream.frames[-1].data == "[DONE]"
        assert content_of(stream.frames) == "x" * 100_000
    else:
        error = stream.frames[-1].json()["error"]
        assert (error["code"], expected[1] in error["message"]) == (expected[0], True)
    assert len([frame for frame in usual.frames if frame.is_chunk]) >= CHUNKS
    chunks = [frame.at for frame in usual.frames if frame.is_chunk]
    assert max(after - sooner for sooner, after in pairwise(chunks)) < 2e9
    assert resident_kib([flooded.server.pid]) - before < 64 * 1024


async def test_a_flood_without_streaming(flooded: Gateway) -> None:
    """A whole answer has a limit too."""
    async with flooded.client() as client:
        answer = await client.post("/api/jobs/create-and-call", json=flooded.call("flood", "whole"))
    assert answer.status_code == 502
    error = answer.json()["error"]
    assert (error["code"], "8388608 bytes" in error["message"]) == ("upstream_protocol", True)
