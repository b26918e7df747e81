"""Settings that every server of ours has, and the one way to say that a value cannot be used.

A setting is an environment variable: the field's name in capitals. An empty one counts as not set.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from hop.requests import base_address, header_value
from serving.hosts import Hosts, named, served
from serving.prefix import checked


def _sendable(secret: SecretStr) -> SecretStr:
    header_value(secret.get_secret_value())
    return secret


Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=24 * 3600, allow_inf_nan=False)]
"""A limit of time. Nobody waits for longer than a day."""
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(lambda value: str(value).upper())]
Address = Annotated[str, AfterValidator(base_address)]
"""Where another server is: an HTTP address below which its routes lie."""
Key = Annotated[SecretStr, AfterValidator(_sendable)]
"""A secret that goes into a header."""


class StartRefused(Exception):
    """The server cannot start as it is set up. The message is one sentence that names the variable."""

    def __init__(self, variable: str, said: str) -> None:
        super().__init__(f"{variable}: {said.removesuffix('.')}.")


def _known_names(names: str) -> str:
    named(names)
    return names


class ServerSettings(BaseSettings):
    """What each server reads. A subclass adds its own settings and names the variable that holds its port."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)

    port_variable: ClassVar[str]

    host: str = "127.0.0.1"
    allowed_hosts: Annotated[str, AfterValidator(_known_names)] | None = None
    root_path: Annotated[str, AfterValidator(checked)] = ""
    log_level: LogLevel = "INFO"

    @property
    def port(self) -> int:
        """The port to listen on."""
        found: int = getattr(self, self.port_variable.lower())
        return found

    @property
    def hosts(self) -> Hosts:
        """The names that this server answers to."""
        return served(self.allowed_hosts, self.host)

    @classmethod
    def load(cls) -> Self:
        """The settings of this process. Raises StartRefused."""
        try:
            return cls._read()
        except ValidationError as error:
            raise _refusal(error) from None

    @classmethod
    def _read(cls) -> Self:
        """Reads the settings from their sources. Raises ValidationError or StartRefused."""
        return cls()


def _refusal(error: ValidationError) -> StartRefused:
    """The first setting that is wrong. Its value is not repeated: it may be a secret."""
    first = error.errors(include_url=False, include_input=False)[0]
    said = first["msg"].removeprefix("Value error, ").replace("Input should", "it should", 1)
    if first["type"] == "too_short":  # a secret, whose length pydantic counts in "items"
        said = f"it must have at least {first['ctx']['min_length']} characters"
    elif first["type"] == "missing":
        said = "it has no value"
    elif first["type"] == "too_long":
        said = f"it must have at most {first['ctx']['max_length']} characters"
    return StartRefused(str(first["loc"][0]).upper(), said)
