"""Which providers there are, where they are found, and what a call needs to know about its destination."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hop.door import Transport, Way
from llm_providers.dialect import Dialect
from llm_providers.openai import OpenAI

TIMEOUT_FIRST_TOKEN_S = 120.0
TIMEOUT_IDLE_S = 60.0
TIMEOUT_WHOLE_S = 600.0
"""What a target is given unless it says otherwise."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider by name. `api_base` is None if the operator must give it."""

    name: str
    api_base: str | None
    api_key_env: str | None
    dialect: Dialect


_OPENAI = OpenAI()

PROVIDERS: Mapping[str, Provider] = {
    provider.name: provider
    for provider in (
        Provider("openai", "https://api.openai.com/v1", "OPENAI_API_KEY", _OPENAI),
        Provider("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", _OPENAI),
        Provider("anthropic", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY", _OPENAI),  # its OpenAI-compatible endpoint
        Provider("litellm", None, "LITELLM_API_KEY", _OPENAI),
        Provider("demo", None, None, _OPENAI),
    )
}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a call goes: one model at one provider. Timeouts are in seconds.

    `api_base` may have a query, which stays behind the paths below it. Neither that nor the key ever appears in a repr.
    """

    provider: str
    model: str
    api_base: str
    api_key: str | None
    timeout_first_token_s: float = TIMEOUT_FIRST_TOKEN_S
    timeout_idle_s: float = TIMEOUT_IDLE_S
    timeout_whole_s: float = TIMEOUT_WHOLE_S
    transport: Transport = "auto"
    ca_file: str | None = None

    @property
    def way(self) -> Way:
        """How a request gets there."""
        return Way(self.transport, self.ca_file)

    @property
    def dialect(self) -> Dialect:
        """What the provider speaks."""
        return PROVIDERS[self.provider].dialect

    def __repr__(self) -> str:
        return f"Target({self.provider}/{self.model} at {self.api_base.partition('?')[0]})"


def split_model(model: str) -> tuple[Provider, str]:
    """`PROVIDER/MODEL` in its two parts; the model's own name may hold further slashes. Raises ValueError with a sentence."""
    name, slash, rest = model.partition("/")
    if not slash or not rest:
        raise ValueError(f"{model!r} is not of the form PROVIDER/MODEL")
    if name not in PROVIDERS:
        raise ValueError(f"unknown provider {name!r} in {model!r}; known are {', '.join(sorted(PROVIDERS))}")
    return PROVIDERS[name], rest
