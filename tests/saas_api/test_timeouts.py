"""How long a model may take: settings of the gateway, which a deployment of the models file overrides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from client_server.settings import Settings as MiddleSettings
from llm_providers import Target
from saas_api.model_groups import ModelsFileError, load
from saas_api.settings import Settings
from saas_client import TIMEOUT_WHOLE_S, patience_for
from tests.saas_api.conftest import Gateway
from tests.support.chain import client_server, saas_api
from tests.support.server import Server

NAMES = ("timeout_first_token_s", "timeout_idle_s", "timeout_whole_s")
SECRETS = dict.fromkeys(("saas_team_id", "saas_virtual_key", "saas_admin_key", "key_pepper", "session_secret"), "sk-test-and-long-enough")


def limits(**settings: Any) -> tuple[float, float, float]:
    """The limits of the group `chat-fast`, with these settings."""
    chosen = load(Settings.model_validate(SECRETS | settings), {}).choose("chat-fast")
    assert chosen is not None
    target: Target = chosen.target
    return target.timeout_first_token_s, target.timeout_idle_s, target.timeout_whole_s


def models_file(folder: Path, *fields: str, api_base: str = "http://127.0.0.1:1/v1") -> Path:
    """One group with one deployment with these fields."""
    path = folder / "models.toml"
    deployment = f'[[model_group.deployment]]\nmodel = "openai/bench+hang"\napi_base = "{api_base}"\n'
    path.write_text('[[model_group]]\nname = "chat-fast"\n' + deployment + "".join(f"{field}\n" for field in fields))
    return path


def test_the_defaults_are_patient(tmp_path: Path) -> None:
    """Two minutes to the first token, ten for a whole answer: with the built-in groups, and where a models file names none."""
    assert (120.0, 60.0, 600.0) == limits() == limits(saas_api_models_file=models_file(tmp_path))


def test_a_setting_holds_where_the_file_names_none(tmp_path: Path) -> None:
    """Each field overrides the setting of its own name, under the older name too."""
    settings = {"timeout_first_token_s": 7, "timeout_idle_s": 8.5, "timeout_whole_s": 9}
    assert (7.0, 8.5, 9.0) == limits(**settings) == limits(saas_api_models_file=models_file(tmp_path), **settings)
    assert (7.0, 1.5, 9.0) == limits(saas_api_models_file=models_file(tmp_path, "timeout_idle_s = 1.5"), **settings)
    assert (2.0, 8.5, 3.0) == limits(
        saas_api_models_file=models_file(tmp_path, "timeout_first_byte_s = 2", "timeout_whole_s = 3"), **settings
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "86401"])
def test_a_file_cannot_name_what_is_no_limit(tmp_path: Path, name: str, value: str) -> None:
    """TOML knows infinity and what is not a number."""
    with pytest.raises(ModelsFileError, match=name):
        limits(saas_api_models_file=models_file(tmp_path, f"{name} = {value}"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "86401", "long"])
def test_nor_can_a_setting(name: str, value: str) -> None:
    """The same values are refused."""
    with pytest.raises(ValidationError, match=name):
        Settings.model_validate(SECRETS | {name: value})


@pytest.mark.parametrize("make", [saas_api, client_server])
def test_a_wrong_one_stops_the_start(tmp_path: Path, make: Callable[[Path, dict[str, str]], Server]) -> None:
    """With one sentence, in each server that reads it."""
    server = make(tmp_path, {"DATA_DIR": str(tmp_path / "data"), "TIMEOUT_WHOLE_S": "nan"})
    server.launch()
    assert 2 == server.wait()
    assert "TIMEOUT_WHOLE_S: it should be a finite number.\n" == server.stderr


async def test_the_settings_end_a_silent_call(make_gateway: Callable[..., Gateway], tmp_path: Path) -> None:
    """A model that says nothing for so long is a timeout, streamed or not."""
    gateway = await asyncio.to_thread(make_gateway, TIMEOUT_FIRST_TOKEN_S="0.3", TIMEOUT_WHOLE_S="0.4")
    await asyncio.to_thread(gateway.server.stop)
    gateway.server.env["SAAS_API_MODELS_FILE"] = str(models_file(tmp_path, api_base=gateway.provider.api_base))
    await asyncio.to_thread(gateway.server.start)
    async with gateway.client() as client:
        body = {"model": "chat-fast", "messages": [{"role": "user", "content": "x"}]}
        streamed = await client.post("/v1/chat/completions", json=body | {"stream": True})
        whole = await client.post("/v1/chat/completions", json=body)
    for answer, seconds in ((streamed, "0.3"), (whole, "0.4")):
        assert (504, "upstream_timeout") == (answer.status_code, answer.json()["error"]["code"])
        assert f"within {seconds} s" in answer.json()["error"]["message"]


def test_those_who_wait_for_the_gateway_wait_longer() -> None:
    """Even if several deployments use up their time one after the other, the gateway's own error is heard."""
    for seconds in (1.0, 600.0, 24 * 3600.0):
        assert 5 * seconds < MiddleSettings.model_validate(SECRETS | {"timeout_whole_s": seconds}).answer_patience_s
    for settings in (Settings, MiddleSettings):
        usual = settings.model_validate(SECRETS).timeout_whole_s
        assert usual == TIMEOUT_WHOLE_S
        assert 5 * usual < patience_for()
