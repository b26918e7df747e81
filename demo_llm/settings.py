"""The settings of this server, from the environment."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from serving.hosts import Hosts, named, served

LogLevel = Annotated[Literal["debug", "info", "warning", "error", "critical"], BeforeValidator(lambda value: str(value).lower())]


class Settings(BaseSettings):
    """The values of the environment variables that the aliases name."""

    model_config = SettingsConfigDict(populate_by_name=True, extra="ignore")

    host: str = Field("127.0.0.1", alias="HOST", min_length=1, description="address that the server binds")
    allowed_hosts: str | None = Field(None, alias="ALLOWED_HOSTS", description="names that it answers to besides its own")
    port: int = Field(8002, alias="DEMO_LLM_PORT", ge=1, le=65535, description="port of the built-in model")
    log_level: LogLevel = Field("info", alias="LOG_LEVEL", description="debug, info, warning, error or critical")

    @field_validator("allowed_hosts")
    @classmethod
    def _known_names(cls, names: str | None) -> str | None:
        named(names)
        return names

    @property
    def hosts(self) -> Hosts:
        """The names that this server answers to."""
        return served(self.allowed_hosts, self.host)


class SettingError(ValueError):
    """A setting's value cannot be used. The message is one sentence that names the variable."""


def load() -> Settings:
    """The settings of this process. Raises SettingError."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        said = first["msg"].removeprefix("Value error, ")
        reason = said[:1].lower() + said[1:]
        raise SettingError(f"{first['loc'][0]} cannot be {first['input']!r}: {reason}.") from None
