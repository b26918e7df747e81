"""What an operator does wrong in the gateway's settings stops its start, with one sentence that says where, and without a secret."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.saas_api.conftest import Gateway
from tests.support.chain import models_toml
from tests.support.provider import Provider
from tests.support.starts import refusal
from tests.support.streams import content_of

SECRET = "sk-s3cret-and-long-enough"
BASES = {
    "": "must begin with http:// or https://",
    "ftp://provider.test/v1": "must begin with http:// or https://",
    "https:///v1": "has no host",
    "https://provider.test:99999/v1": "port",
    "https://provider test/v1": "a blank",
    "https://user:s3cret@provider.test/v1": "a user or a password",
    "https://provider.test/v1#s3cret": "a fragment",
    "https://[::1/v1": "host",
}


def models(folder: Path, **fields: str) -> Path:
    """A models file with one deployment of OpenAI's."""
    path = folder / "models.toml"
    more = "".join(f'{name} = "{value}"\n' for name, value in fields.items())
    path.write_text(f'[[model_group]]\nname = "chat-fast"\n[[model_group.deployment]]\nmodel = "openai/gpt-4o-mini"\n{more}')
    return path


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        *(("OPENAI_API_KEY", ending) for ending in ("\n", "\r\nX-Admin: yes", "\x7f", "\u200b", " ", b"\xff")),
        *((name, "\n") for name in ("ANTHROPIC_API_KEY", "OPENROUTER_API_KEY", "LITELLM_API_KEY", "SAAS_VIRTUAL_KEY", "SAAS_ADMIN_KEY")),
    ],
)
def test_a_key_that_no_header_can_carry(tmp_path: Path, name: str, ending: str | bytes) -> None:
    """The sentence names its variable, and does not show it."""
    value = SECRET.encode() + ending if isinstance(ending, bytes) else SECRET + ending
    said = refusal("saas_api", tmp_path / "data", {name: value})
    assert said.startswith(f"{name}: ")
    assert "s3cret" not in said


@pytest.mark.parametrize("value", [SECRET + "é", SECRET * 20], ids=["not ASCII", "too long"])
def test_a_virtual_key_that_the_gateway_would_refuse(tmp_path: Path, value: str) -> None:
    """What would be malformed at every call is malformed at the start."""
    said = refusal("saas_api", tmp_path / "data", {"SAAS_VIRTUAL_KEY": value})
    assert said.startswith("SAAS_VIRTUAL_KEY: ")
    assert "s3cret" not in said


def test_a_key_of_the_models_file(tmp_path: Path) -> None:
    """The variable that `api_key_env` names is checked like any other."""
    env = {"SAAS_API_MODELS_FILE": str(models(tmp_path, api_key_env="COMPANY_KEY")), "COMPANY_KEY": f"{SECRET}\n"}
    said = refusal("saas_api", tmp_path / "data", env)
    assert said.startswith("COMPANY_KEY: ")
    assert "s3cret" not in said


def test_a_key_that_is_not_there(make_gateway: Callable[..., Gateway], tmp_path: Path) -> None:
    """A variable that `api_key_env` names and nobody has set is warned of; it may be the key itself by mistake, so it is not shown."""
    gateway = make_gateway(SAAS_API_MODELS_FILE=str(models(tmp_path, api_key_env=SECRET)), LOG_LEVEL="WARNING")
    assert "the variable that api_key_env of openai/gpt-4o-mini names is not set" in gateway.server.stderr
    assert "s3cret" not in gateway.server.stderr


@pytest.mark.parametrize("base", BASES)
def test_an_api_base_that_leads_nowhere(tmp_path: Path, base: str) -> None:
    """In the models file the sentence names the deployment, and in a setting the variable."""
    said = refusal("saas_api", tmp_path / "data", {"SAAS_API_MODELS_FILE": str(models(tmp_path, api_base=base))})
    assert said.startswith("SAAS_API_MODELS_FILE: the api_base of 'openai/gpt-4o-mini' cannot be used: ")
    assert BASES[base] in said
    assert "s3cret" not in said
    if base:  # a variable that is set to nothing counts as not set
        said = refusal("saas_api", tmp_path / "data", {"LITELLM_BASE_URL": base})
        assert said.startswith("LITELLM_BASE_URL: ")
        assert BASES[base] in said
        assert "s3cret" not in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "http://user:s3cret@proxy.test:99999"),
        ("SAAS_API_DATABASE_URL", "postgresql://user:s3cret@127.0.0.1:99999/x"),
        ("SAAS_API_DATABASE_URL", "postgresql://user:s3cret/more@127.0.0.1/x"),
        ("SAAS_API_DATABASE_URL", "postgresql://user:s3cret@127.0.0.1:1/x?sslmode=require"),
        ("HOST", "no host"),
        ("DEMO_LLM_PORT", "99999"),
        ("DATA_DIR", "~nobody-here/data"),
        ("SAAS_TEAM_ID", b"team_\xff"),
    ],
)
def test_what_would_fail_later(tmp_path: Path, name: str, value: str | bytes) -> None:
    """A proxy that an address needs, a database's address, a host, a home: each is looked at before the first call."""
    said = refusal("saas_api", tmp_path / "data", {"OPENAI_API_KEY": SECRET, name: value})
    assert said.startswith(f"{name}: ")
    assert "s3cret" not in said


def test_a_proxy_that_nobody_needs(make_gateway: Callable[..., Gateway]) -> None:
    """It does not keep a gateway from its start whose providers are all on this machine."""
    assert make_gateway(HTTPS_PROXY="nonsense://", HTTP_PROXY="http://:99999").server.running


@pytest.mark.parametrize(
    ("held", "why"),
    [
        (b'[[model_group]]\nname = "caf\xe9"\n', "is not UTF-8"),
        ("[[model_group]]\n".encode("utf-16"), "is not UTF-8"),
        (b"a = " + b"[" * 100_000, "is not TOML"),
        (b"", "is wrong at model_group"),
    ],
    ids=["Latin-1", "UTF-16", "too deep", "empty"],
)
def test_a_models_file_that_cannot_be_read(tmp_path: Path, held: bytes, why: str) -> None:
    """The sentence names the file."""
    path = tmp_path / "models.toml"
    path.write_bytes(held)
    said = refusal("saas_api", tmp_path / "data", {"SAAS_API_MODELS_FILE": str(path)})
    assert said.startswith(f"SAAS_API_MODELS_FILE: the file {path} {why}")


async def test_a_models_file_with_a_mark_and_an_api_base_with_a_query(
    make_gateway: Callable[..., Gateway], provider: Provider, tmp_path: Path
) -> None:
    """A byte order mark and CRLF do no harm, and an answer comes from below the base."""
    text = models_toml(f"{provider.api_base}/?api-version=1", 1.0, 1.0).replace("\n", "\r\n")
    path = tmp_path / "marked.toml"
    path.write_bytes(codecs.BOM_UTF8 + text.encode())
    gateway = make_gateway(SAAS_API_MODELS_FILE=str(path))
    async with gateway.stream(gateway.call("text", "3 1 1")) as stream:
        await stream.read_all()
    assert content_of(stream.frames)


def test_a_full_disk(tmp_path: Path) -> None:
    """At the first start it is the credentials or the database that cannot be written, later the first record; each is one sentence."""
    data = tmp_path / "data"
    said = refusal("saas_api", data, largest_file=100)
    assert f"{data}/credentials.env" in said
    assert (data / "credentials.env").read_bytes() == b""
    said = refusal("saas_api", data, {"SAAS_API_DATABASE_URL": f"sqlite:///{data}/saas_api.db"}, largest_file=4096)
    assert f"{data}/saas_api.db cannot be used: " in said
