"""What a call costs."""

from __future__ import annotations

from decimal import Decimal

import pytest

from llm_providers import Price, split_model


def test_given_prices_come_first_and_round_half_up() -> None:
    """Dollars per million tokens are millionths of a dollar per token."""
    price = Price("openai", "gpt-4o-mini", Decimal("0.15"), Decimal("0.60"))
    assert price.cost_micro_usd({"prompt_tokens": 10, "completion_tokens": 20}) == 14  # 1.5 + 12 = 13.5


def test_known_models_have_their_list_price() -> None:
    """gpt-4o-mini is 0.15 and 0.60 dollars per million, and cached tokens cost less."""
    price = Price("openai", "gpt-4o-mini")
    usage = {"prompt_tokens": 1_000_000, "completion_tokens": 100_000}
    assert price.known
    assert price.cost_micro_usd(usage) == 210_000
    cached = usage | {"prompt_tokens_details": {"cached_tokens": 500_000}}
    assert price.cost_micro_usd(cached) == 172_500


def test_an_unknown_model_is_free_and_says_so() -> None:
    """Nothing is invented for a model that no list knows."""
    price = Price("openai", "no-such-model-anywhere")
    assert not price.known
    assert price.cost_micro_usd({"prompt_tokens": 1000, "completion_tokens": 1000}) == 0


def test_a_model_names_its_provider() -> None:
    """PROVIDER/MODEL, where the model may hold slashes; anything else is refused with a sentence."""
    provider, model = split_model("openrouter/openai/gpt-4o-mini")
    assert (provider.name, model) == ("openrouter", "openai/gpt-4o-mini")
    for wrong in ("gpt-4o", "nobody/x", "openai/"):
        with pytest.raises(ValueError):
            split_model(wrong)
