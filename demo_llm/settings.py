"""The settings of this server, from the environment."""

from __future__ import annotations

from typing import ClassVar

from serving.settings import Port, ServerSettings


class Settings(ServerSettings):
    """Its port, beside what every server reads."""

    port_variable: ClassVar = "DEMO_LLM_PORT"

    demo_llm_port: Port = 8002
