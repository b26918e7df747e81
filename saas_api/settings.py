"""The gateway's settings: environment variables first, then `credentials.env` in the data directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, SecretStr
from sqlalchemy import URL

from llm_providers import TIMEOUT_FIRST_TOKEN_S, TIMEOUT_IDLE_S, TIMEOUT_WHOLE_S
from serving.data import DataSettings
from serving.limits import BodySettings
from serving.settings import Address, Key, Port, Seconds
from storage.urls import DatabaseUrl, database_at

MAX_KEY_LENGTH = 200
"""The longest virtual key."""


def _ascii(key: SecretStr) -> SecretStr:
    if not key.get_secret_value().isascii():
        raise ValueError("it must be in ASCII")
    return key


class Settings(DataSettings, BodySettings):
    """What an operator may set. The defaults serve one machine without any key."""

    port_variable: ClassVar = "SAAS_API_PORT"

    saas_api_port: Port = 8003
    demo_llm_port: Port = 8002
    saas_api_database_url: DatabaseUrl | None = None
    saas_api_models_file: Path | None = None

    saas_team_id: Annotated[str, Field(min_length=1)]
    saas_virtual_key: Annotated[Key, Field(min_length=16, max_length=MAX_KEY_LENGTH), AfterValidator(_ascii)]
    saas_admin_key: Annotated[Key, Field(min_length=16)]
    key_pepper: Annotated[SecretStr, Field(min_length=16)]

    openai_api_key: Key | None = None
    anthropic_api_key: Key | None = None
    openrouter_api_key: Key | None = None
    litellm_base_url: Address | None = None
    litellm_api_key: Key | None = None

    timeout_first_token_s: Seconds = TIMEOUT_FIRST_TOKEN_S
    timeout_idle_s: Seconds = TIMEOUT_IDLE_S
    timeout_whole_s: Seconds = TIMEOUT_WHOLE_S

    resume_grace_s: Annotated[float, Field(ge=0)] = 30.0
    stream_retention_s: Annotated[float, Field(ge=0)] = 300.0
    stream_memory_bytes: Annotated[int, Field(ge=1024 * 1024)] = 512 * 1024 * 1024
    stream_memory_bytes_per_key: Annotated[int, Field(ge=1024 * 1024)] = 256 * 1024 * 1024
    drain_timeout_s: Annotated[float, Field(ge=0)] = 3.0

    @property
    def database_url(self) -> URL:
        """Where the database is."""
        return database_at(self.saas_api_database_url, self.data_dir / "saas_api.db")
