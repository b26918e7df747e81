"""The gateway behind a proxy: a provider with a private authority's certificate, which only the proxy can reach."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bench.script import expected_text
from hop.door import Way
from llm_providers import Target
from saas_api.model_groups import ModelsFileError, load
from saas_api.settings import Settings
from tests.saas_api.conftest import Gateway
from tests.support.certificates import Certificates, make_certificates
from tests.support.forward_proxy import ForwardProxy, accepting, both_ways, forward_proxy
from tests.support.ports import free_port
from tests.support.provider import Provider
from tests.support.streams import content_of

HOST = "provider.test"


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    """An authority that the machine does not trust, and the provider's certificate from it."""
    return make_certificates(tmp_path / "certificates")


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    """The scripted provider, in plain HTTP."""
    with Provider(tmp_path / "upstream") as provider:
        yield provider


def models_file(folder: Path, **fields: str) -> Path:
    """Two groups, whose provider is the one behind the proxy."""
    path = folder / "proxied.toml"
    more = "".join(f'{name} = "{value}"\n' for name, value in fields.items())
    path.write_text(
        "".join(
            f'[[model_group]]\nname = "{group}"\n[[model_group.deployment]]\nmodel = "openai/bench+{group}"\n'
            f'api_base = "https://{HOST}/v1"\n{more}'
            for group in ("text", "stall")
        )
    )
    return path


@asynccontextmanager
async def proxied(provider: Provider, certificates: Certificates) -> AsyncIterator[ForwardProxy]:
    """A proxy that wants a password, and behind it a provider that speaks TLS."""

    async def unwrap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await both_ways(reader, writer, *await asyncio.open_connection("127.0.0.1", provider.port))

    async with accepting(unwrap, ssl=certificates.server_context()) as port, forward_proxy(password="secret") as proxy:
        proxy.places = {f"{HOST}:443": port}
        yield proxy


async def test_a_stream_comes_through_as_it_is_written(
    make_gateway: Callable[..., Gateway], provider: Provider, certificates: Certificates, tmp_path: Path
) -> None:
    """HTTPS_PROXY and a deployment's `ca_file` are enough: all text arrives chunk by chunk, and cancelling reaches the provider."""
    models = models_file(tmp_path, ca_file=str(certificates.ca))
    async with proxied(provider, certificates) as proxy:
        gateway = await asyncio.to_thread(make_gateway, HTTPS_PROXY=proxy.url, SAAS_API_MODELS_FILE=str(models))
        async with gateway.stream(gateway.call("text", "20 10 30")) as stream:
            await stream.read_all()
        assert expected_text(20) == content_of(stream.frames)
        assert "receipt" in [frame.event for frame in stream.frames]
        came = [frame.at for frame in stream.frames if frame.is_chunk]
        assert 15 < len(set(came)), "chunks came together"
        assert [f"CONNECT {HOST}:443 HTTP/1.1"] == proxy.asked
        async with gateway.stream(gateway.call("stall", "20 2 2")) as stream:
            await stream.read_frames(3)
            path = f"/api/jobs/{stream.headers['x-job-id']}/calls/{stream.headers['x-call-id']}/cancel"
            async with gateway.client() as client:
                assert 200 == (await client.post(path)).status_code
        await asyncio.to_thread(provider.wait_for, lambda stats: stats["cancelled"] == 1)


@pytest.mark.parametrize(
    ("proxy_env", "fields", "reason"),
    [
        ({}, {}, f"the name of {HOST}:443 is unknown"),
        ({"HTTPS_PROXY": "proxy"}, {"transport": "direct"}, f"the name of {HOST}:443 is unknown"),
        ({"HTTPS_PROXY": "proxy"}, {}, f"the certificate of {HOST}:443 is not trusted"),
        ({"HTTPS_PROXY": "wrong"}, {}, "wants another user name and password"),
        ({"HTTPS_PROXY": "none"}, {}, "refuses connections"),
    ],
)
async def test_what_is_in_the_way_is_in_the_log(
    make_gateway: Callable[..., Gateway],
    provider: Provider,
    certificates: Certificates,
    tmp_path: Path,
    proxy_env: dict[str, str],
    fields: dict[str, str],
    reason: str,
) -> None:
    """The caller hears that the model is unavailable, and the operator why. The proxy's password is in neither."""
    async with proxied(provider, certificates) as proxy:
        urls = {
            "proxy": proxy.url,
            "wrong": proxy.url.replace("secret", "wr0ng-secret"),
            "none": f"http://user:secret@127.0.0.1:{free_port()}",
        }
        environ = {name: urls[value] for name, value in proxy_env.items()}
        models = models_file(tmp_path, **fields)
        gateway = await asyncio.to_thread(make_gateway, SAAS_API_MODELS_FILE=str(models), **environ)
        async with gateway.client() as client:
            answer = await client.post("/api/jobs/create-and-call", json=gateway.call("text"))
        assert (503, "upstream_unavailable") == (answer.status_code, answer.json()["error"]["code"])
        assert reason in gateway.server.stderr
        assert "secret" not in gateway.server.stderr + answer.text


def target(models: Path) -> Target:
    """Where the file sends a call."""
    secrets = dict.fromkeys(("saas_team_id", "saas_virtual_key", "saas_admin_key", "key_pepper"), "sk-test-and-long-enough")
    chosen = load(Settings.model_validate({"saas_api_models_file": models} | secrets)).choose("text")
    assert chosen is not None
    return chosen.target


class TestModelsFile:
    """`transport` and `ca_file` of a deployment."""

    def test_reach_the_target(self, certificates: Certificates, tmp_path: Path) -> None:
        """As they were written, and by default neither."""
        ca_file = str(certificates.ca)
        assert Way("httpx2", ca_file) == target(models_file(tmp_path, transport="httpx2", ca_file=ca_file)).way
        assert Way() == target(models_file(tmp_path)).way

    def test_are_checked_at_the_start(self, tmp_path: Path) -> None:
        """A file that is not there, one with something else in it, and a transport that nobody knows."""
        (tmp_path / "ca.pem").write_text("no certificate")
        for fields, sentence in (
            ({"ca_file": str(tmp_path / "none.pem")}, f"cannot be used: the file .* cannot be read: {os.strerror(2)}"),
            ({"ca_file": str(tmp_path / "ca.pem")}, "cannot be used: the file .* holds no certificates"),
            ({"transport": "pigeon"}, r"is wrong at model_group\.0\.deployment\.0\.transport"),
        ):
            with pytest.raises(ModelsFileError, match=sentence):
                target(models_file(tmp_path, **fields))
