"""Model groups: the names that callers use, and the deployments behind each, in the order in which they are tried.

They come from a TOML file (`SAAS_API_MODELS_FILE`). Without it there are three built-in groups, each served by every provider whose
key is set, and by the demo model last.
"""

from __future__ import annotations

import logging
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from hop.door import Transport, unusable_proxy
from hop.requests import base_address, header_value
from hop.tls import check_ca_file
from llm_providers import Price, Provider, Target, split_model
from saas_api.settings import Settings
from serving.hosts import reachable
from serving.settings import Seconds, StartRefused
from wire.errors import ErrorCode, WireError

logger = logging.getLogger(__name__)

_BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "chat-fast": {
        "openai": "gpt-4o-mini",
        "anthropic": "claude-3-5-haiku-latest",
        "openrouter": "openai/gpt-4o-mini",
        "litellm": "chat-fast",
        "demo": "demo-fast",
    },
    "chat-balanced": {
        "openai": "gpt-4.1-mini",
        "anthropic": "claude-sonnet-4-0",
        "openrouter": "openai/gpt-4.1-mini",
        "litellm": "chat-balanced",
        "demo": "demo-balanced",
    },
    "chat-quality": {
        "openai": "gpt-4.1",
        "anthropic": "claude-opus-4-0",
        "openrouter": "openai/gpt-4.1",
        "litellm": "chat-quality",
        "demo": "demo-quality",
    },
}
_DEMO_PRICES: Mapping[str, tuple[str, str]] = {
    "demo-fast": ("0.15", "0.60"),
    "demo-balanced": ("0.40", "1.60"),
    "demo-quality": ("2.00", "8.00"),
}

_FIRST_TOKEN = AliasChoices("timeout_first_token_s", "timeout_first_byte_s")
"""The second is an older name of the first."""


class ModelsFileError(StartRefused):
    """The models file cannot be used. The message is one sentence that says what is wrong and where."""

    def __init__(self, said: str) -> None:
        super().__init__("SAAS_API_MODELS_FILE", said)


class DeploymentEntry(BaseModel):
    """`[[model_group.deployment]]` of the models file. The settings hold for the timeouts that it does not name."""

    model_config = ConfigDict(extra="forbid")

    model: str
    api_base: str | None = None
    api_key_env: str | None = None
    input_usd_per_million: Annotated[Decimal, Field(ge=0)] | None = None
    output_usd_per_million: Annotated[Decimal, Field(ge=0)] | None = None
    timeout_first_token_s: Annotated[Seconds | None, Field(validation_alias=_FIRST_TOKEN)] = None
    timeout_idle_s: Seconds | None = None
    timeout_whole_s: Seconds | None = None
    transport: Transport = "auto"
    ca_file: Path | None = None


class GroupEntry(BaseModel):
    """`[[model_group]]` of the models file."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=200)]
    deployment: Annotated[list[DeploymentEntry], Field(min_length=1)]


class ModelsFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid")

    model_group: Annotated[list[GroupEntry], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Deployment:
    """One model at one provider, with its price."""

    model: str  # PROVIDER/MODEL
    target: Target
    price: Price


@dataclass(frozen=True, slots=True)
class ModelGroup:
    """A name and its deployments, first choice first."""

    name: str
    deployments: Sequence[Deployment]


class ModelGroups:
    """All groups by name. Deployments are chosen only here."""

    def __init__(self, groups: Sequence[ModelGroup]) -> None:
        self._groups = {group.name: group for group in groups}

    @property
    def names(self) -> list[str]:
        return list(self._groups)

    def choose(self, name: str, tried: Sequence[Deployment] = ()) -> Deployment | None:
        """Returns the deployment to ask next, or None if all have been tried. Raises WireError NOT_FOUND."""
        group = self._groups.get(name)
        if group is None:
            raise WireError(ErrorCode.NOT_FOUND, f"There is no model group named {name[:100]!r}.")
        return next((deployment for deployment in group.deployments if deployment not in tried), None)

    def price(self, resolved_model: str) -> Price:
        """Returns the price of a deployment's model, even if it is in no group any more."""
        for group in self._groups.values():
            for deployment in group.deployments:
                if deployment.model == resolved_model:
                    return deployment.price
        provider, _, model = resolved_model.partition("/")
        return Price(provider, model)


def load(settings: Settings, environ: Mapping[str, str] = os.environ) -> ModelGroups:
    """Returns the model groups that the settings name. Raises StartRefused, and ModelsFileError for what is wrong in the file."""
    entries = _read(settings.saas_api_models_file) if settings.saas_api_models_file else _built_in(settings)
    bases = {"litellm": settings.litellm_base_url, "demo": f"http://{reachable(settings.host)}:{settings.demo_llm_port}/v1"}
    try:
        base_address(f"http://{reachable(settings.host)}")
    except ValueError:
        raise StartRefused("HOST", f"{settings.host!r} is neither a name nor an address") from None
    keys = _Keys(settings, environ)
    groups: list[ModelGroup] = []
    for group in entries.model_group:
        if any(group.name == known.name for known in groups):
            raise ModelsFileError(f"the model group {group.name!r} is written twice")
        groups.append(ModelGroup(group.name, [_deployment(entry, settings, bases, keys, environ) for entry in group.deployment]))
    return ModelGroups(groups)


def _read(path: Path) -> ModelsFile:
    try:
        return ModelsFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise ModelsFileError(f"the file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ModelsFileError(f"the file {path} is not UTF-8: save it as such") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ModelsFileError(f"the file {path} is not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise ModelsFileError(f"the file {path} is wrong at {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _built_in(settings: Settings) -> ModelsFile:
    available = {
        "openai": settings.openai_api_key,
        "anthropic": settings.anthropic_api_key,
        "openrouter": settings.openrouter_api_key,
        "litellm": settings.litellm_base_url,
        "demo": True,
    }

    def deployment(provider: str, model: str) -> dict[str, Any]:
        prices = (
            dict(zip(("input_usd_per_million", "output_usd_per_million"), _DEMO_PRICES[model], strict=True)) if provider == "demo" else {}
        )
        return {"model": f"{provider}/{model}", **prices}

    return ModelsFile.model_validate(
        {
            "model_group": [
                {"name": name, "deployment": [deployment(provider, model) for provider, model in models.items() if available[provider]]}
                for name, models in _BUILT_IN.items()
            ]
        }
    )


class _Keys:
    """The providers' keys by variable: the environment's, and for the providers that the settings know, what those say."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        known = (settings.openai_api_key, settings.anthropic_api_key, settings.openrouter_api_key, settings.litellm_api_key)
        names = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENROUTER_API_KEY", "LITELLM_API_KEY")
        self._known = {name: key.get_secret_value() for name, key in zip(names, known, strict=True) if key is not None}
        self._environ = environ

    def get(self, name: str) -> str | None:
        """The key. Raises StartRefused if no header can carry it."""
        key = self._environ.get(name) or self._known.get(name)
        if key is not None:
            try:
                header_value(key)
            except ValueError as error:
                raise StartRefused(name, str(error)) from None
        return key


def _deployment(
    entry: DeploymentEntry, settings: Settings, bases: Mapping[str, str | None], keys: _Keys, environ: Mapping[str, str]
) -> Deployment:
    try:
        provider, model = split_model(entry.model)
    except ValueError as error:
        raise ModelsFileError(str(error)) from None
    target = Target(
        provider=provider.name,
        model=model,
        api_base=_address(entry, provider, bases),
        api_key=_key(entry, provider, keys),
        timeout_first_token_s=entry.timeout_first_token_s or settings.timeout_first_token_s,
        timeout_idle_s=entry.timeout_idle_s or settings.timeout_idle_s,
        timeout_whole_s=entry.timeout_whole_s or settings.timeout_whole_s,
        transport=entry.transport,
        ca_file=_ca_file(entry),
    )
    if (proxy := unusable_proxy(target.api_base, target.way, environ)) is not None:
        raise StartRefused(*proxy)
    return Deployment(entry.model, target, _price(entry, target))


def _address(entry: DeploymentEntry, provider: Provider, bases: Mapping[str, str | None]) -> str:
    """Where the deployment is. Raises ModelsFileError."""
    if entry.api_base is not None:
        try:
            base_address(entry.api_base)
        except ValueError as error:
            raise ModelsFileError(f"the api_base of {entry.model!r} cannot be used: {error}") from None
    base = entry.api_base or bases.get(provider.name) or provider.api_base
    if base is None:
        raise ModelsFileError(f"{entry.model!r} needs an api_base (or {provider.name.upper()}_BASE_URL)")
    return base


def _ca_file(entry: DeploymentEntry) -> str | None:
    """The authorities that it adds. Raises ModelsFileError."""
    if entry.ca_file is None:
        return None
    try:
        check_ca_file(entry.ca_file)
    except ValueError as error:
        raise ModelsFileError(f"the ca_file of {entry.model!r} cannot be used: {error}") from None
    return str(entry.ca_file)


def _key(entry: DeploymentEntry, provider: Provider, keys: _Keys) -> str | None:
    """Its own key or the provider's. A missing one of its own is only warned of. Raises StartRefused."""
    variable = entry.api_key_env or provider.api_key_env
    key = keys.get(variable) if variable else None
    if entry.api_key_env and not key:  # it may hold the key itself by mistake, so it is not repeated
        logger.warning("the variable that api_key_env of %s names is not set: it is asked without a key", entry.model)
    return key


def _price(entry: DeploymentEntry, target: Target) -> Price:
    """Its own price or the known one. An unknown one is warned of."""
    price = Price(target.provider, target.model, entry.input_usd_per_million, entry.output_usd_per_million)
    if not price.known and target.provider != "demo":
        logger.warning("no price is known for %s: it is counted as free", entry.model)
    return price
