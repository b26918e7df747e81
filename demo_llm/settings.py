"""The settings of this server, from the environment."""

from __future__ import annotations

from typing import ClassVar

from serving.limits import BodySettings
from serving.settings import Port


class Settings(BodySettings):
    """Its port, beside what every server that takes messages reads."""

    port_variable: ClassVar = "DEMO_LLM_PORT"

    demo_llm_port: Port = 8002
