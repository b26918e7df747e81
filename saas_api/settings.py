"""The gateway's settings: environment variables first, then `credentials.env` in the data directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, SecretStr
from sqlalchemy import URL

from serving.data import DataSettings
from serving.limits import BodySettings
from serving.settings import Port
from storage.urls import DatabaseUrl, database_at


class Settings(DataSettings, BodySettings):
    """What an operator may set. The defaults serve one machine without any key."""

    port_variable: ClassVar = "SAAS_API_PORT"

    saas_api_port: Port = 8003
    demo_llm_port: Port = 8002
    saas_api_database_url: DatabaseUrl | None = None
    saas_api_models_file: Path | None = None

    saas_team_id: Annotated[str, Field(min_length=1)]
    saas_virtual_key: Annotated[SecretStr, Field(min_length=16)]
    saas_admin_key: Annotated[SecretStr, Field(min_length=16)]
    key_pepper: Annotated[SecretStr, Field(min_length=16)]

    openai_api_key: SecretStr | None = None
    anthropic_api_key: SecretStr | None = None
    openrouter_api_key: SecretStr | None = None
    litellm_base_url: str | None = None
    litellm_api_key: SecretStr | None = None

    resume_grace_s: Annotated[float, Field(ge=0)] = 30.0
    stream_retention_s: Annotated[float, Field(ge=0)] = 300.0
    stream_memory_bytes: Annotated[int, Field(ge=1024 * 1024)] = 512 * 1024 * 1024
    stream_memory_bytes_per_key: Annotated[int, Field(ge=1024 * 1024)] = 256 * 1024 * 1024
    drain_timeout_s: Annotated[float, Field(ge=0)] = 3.0

    @property
    def database_url(self) -> URL:
        """Where the database is."""
        return database_at(self.saas_api_database_url, self.data_dir / "saas_api.db")
