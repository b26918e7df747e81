"""The gateway's settings: environment variables first, then `credentials.env` in the data directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL

from serving import credentials
from serving.hosts import Hosts, named, served
from storage.database import database_url

Port = Annotated[int, Field(ge=1, le=65535)]


class Paths(BaseSettings):
    """Where the data directory is, which has to be known before the other settings can be read from it."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)

    data_dir: Path = Path("data")


class Settings(Paths):
    """What an operator may set. `load` reads it; the defaults serve one machine without any key."""

    host: str = "127.0.0.1"
    allowed_hosts: str | None = None
    saas_api_port: Port = 8003
    demo_llm_port: Port = 8002
    saas_api_database_url: str | None = None
    saas_api_models_file: Path | None = None
    log_level: Annotated[str, Field(pattern="(?i)^(debug|info|warning|error|critical)$")] = "INFO"

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
    drain_timeout_s: Annotated[float, Field(ge=0)] = 3.0
    max_body_bytes: Annotated[int, Field(ge=1024)] = 1024 * 1024

    @classmethod
    def load(cls) -> Self:
        """The settings of this process; creates the credentials file where there is none. Raises pydantic.ValidationError or OSError."""
        path = credentials.ensure(Paths().data_dir)
        return cls(_env_file=path)  # the required fields come from the environment and this file

    @field_validator("allowed_hosts")
    @classmethod
    def _known_names(cls, names: str | None) -> str | None:
        named(names)
        return names

    @field_validator("saas_api_database_url")
    @classmethod
    def _known_database(cls, url: str | None) -> str | None:
        if url is not None:
            database_url(url)
        return url

    @property
    def hosts(self) -> Hosts:
        """The names that this server answers to."""
        return served(self.allowed_hosts, self.host)

    @property
    def database_url(self) -> URL:
        """Where the database is."""
        if self.saas_api_database_url is not None:
            return database_url(self.saas_api_database_url)
        return URL.create("sqlite", database=str(self.data_dir / "saas_api.db"))
