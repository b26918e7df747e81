"""The middle tier's settings: environment variables first, then `credentials.env` in the data directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL

from serving import credentials
from serving.hosts import Hosts, named, served
from storage.database import database_url


class BadSetting(Exception):
    """One sentence that names the variable and says what is wrong with it."""


class _DataDir(BaseSettings):
    """Known before everything else, because the credentials file lies in it."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)

    data_dir: Path = Path("data")


class Settings(_DataDir):
    """What an operator may set; each field is the environment variable of its name in capitals."""

    host: str = "127.0.0.1"
    allowed_hosts: str | None = None
    client_server_port: Annotated[int, Field(ge=1, le=65535)] = 8001
    client_server_database_url: str | None = None
    saas_api_url: AnyHttpUrl = AnyHttpUrl("http://127.0.0.1:8003")
    log_level: Annotated[str, Field(pattern="(?i)^(debug|info|warning|error|critical)$")] = "INFO"

    saas_team_id: Annotated[str, Field(min_length=1)]
    saas_virtual_key: Annotated[SecretStr, Field(min_length=1)]
    session_secret: Annotated[SecretStr, Field(min_length=16)]

    resume_grace_s: Annotated[float, Field(ge=0)] = 30.0
    stream_retention_s: Annotated[float, Field(ge=0)] = 300.0
    session_turns_per_minute: Annotated[int, Field(ge=1)] = 600
    session_open_streams: Annotated[int, Field(ge=1)] = 64

    @field_validator("allowed_hosts")
    @classmethod
    def _known_names(cls, names: str | None) -> str | None:
        named(names)
        return names

    @field_validator("client_server_database_url")
    @classmethod
    def _known_database(cls, url: str | None) -> str | None:
        if url is not None:
            database_url(url)
        return url

    @property
    def database_url(self) -> URL:
        """Where the database is."""
        if self.client_server_database_url is not None:
            return database_url(self.client_server_database_url)
        return URL.create("sqlite", database=str(self.data_dir / "client_server.db"))

    @property
    def hosts(self) -> Hosts:
        """The names that this server answers to."""
        return served(self.allowed_hosts, self.host)

    @classmethod
    def load(cls) -> Self:
        """The settings of this process; writes the credentials that are missing. Raises BadSetting."""
        try:
            data_dir = _DataDir().data_dir
            path = credentials.ensure(data_dir)
            return cls(_env_file=path)
        except OSError as error:
            raise BadSetting(f"DATA_DIR: {data_dir} cannot be written ({error.strerror}).") from error
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            said = "it must have at least 16 characters" if first["type"] == "too_short" else first["msg"].removeprefix("Value error, ")
            raise BadSetting(f"{str(first['loc'][0]).upper()}: {said}.") from None
