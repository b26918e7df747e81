"""The middle tier's settings: environment variables first, then `credentials.env` in the data directory."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, SecretStr
from sqlalchemy import URL

from saas_client import TIMEOUT_WHOLE_S, patience_for
from serving.data import DataSettings
from serving.limits import BodySettings
from serving.settings import Address, Key, Port, Seconds
from storage.urls import DatabaseUrl, database_at


class Settings(DataSettings, BodySettings):
    """What an operator may set. Each field is the environment variable of the same name in capitals."""

    port_variable: ClassVar = "CLIENT_SERVER_PORT"

    client_server_port: Port = 8001
    client_server_database_url: DatabaseUrl | None = None
    saas_api_url: Address = "http://127.0.0.1:8003"

    saas_team_id: Annotated[str, Field(min_length=1)]
    saas_virtual_key: Annotated[Key, Field(min_length=1)]
    session_secret: Annotated[SecretStr, Field(min_length=16)]

    timeout_whole_s: Seconds = TIMEOUT_WHOLE_S
    gateway_wait_s: Annotated[float, Field(ge=0)] = 5.0
    resume_grace_s: Annotated[float, Field(ge=0)] = 30.0
    stream_retention_s: Annotated[float, Field(ge=0)] = 300.0
    stream_memory_bytes: Annotated[int, Field(ge=1024 * 1024)] = 512 * 1024 * 1024
    stream_memory_bytes_per_session: Annotated[int, Field(ge=1024 * 1024)] = 64 * 1024 * 1024
    sessions_max: Annotated[int, Field(ge=1)] = 100_000
    session_unused_s: Annotated[float, Field(ge=60)] = 24 * 3600.0
    session_retention_s: Annotated[float, Field(ge=60)] = 365 * 24 * 3600.0
    session_turns_per_minute: Annotated[int, Field(ge=1)] = 600
    session_open_streams: Annotated[int, Field(ge=1)] = 64

    @property
    def answer_patience_s(self) -> float:
        """How long a whole answer is waited for: longer than the gateway does, so that its own error arrives."""
        return patience_for(self.timeout_whole_s)

    @property
    def database_url(self) -> URL:
        """Where the database is."""
        return database_at(self.client_server_database_url, self.data_dir / "client_server.db")
