"""What tokens cost, in millionths of a US dollar; integers, never floats.

The operator's own prices come first. Without them the genai-prices package is asked, which knows cached tokens and tiers. A model that it
does not know costs nothing, and `known` says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from genai_prices import Usage, calc_price

MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one model. Both given prices are US dollars per million tokens."""

    provider: str
    model: str
    input_usd_per_million: Decimal | None = None
    output_usd_per_million: Decimal | None = None

    @property
    def known(self) -> bool:
        """Whether anything is known about this model's price."""
        if self.input_usd_per_million is not None or self.output_usd_per_million is not None:
            return True
        return self._looked_up(1000, 1000, 0) is not None

    def cost_micro_usd(self, usage: Mapping[str, Any]) -> int:
        """The cost of a call with this usage (OpenAI's field names), rounded half up to a millionth of a dollar."""
        prompt, completion, cached = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens"), _cached(usage)
        if self.input_usd_per_million is not None or self.output_usd_per_million is not None:
            exact = prompt * (self.input_usd_per_million or Decimal(0)) + completion * (self.output_usd_per_million or Decimal(0))
        else:
            exact = (self._looked_up(prompt, completion, cached) or Decimal(0)) * MILLION
        return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))

    def _looked_up(self, prompt: int, completion: int, cached: int) -> Decimal | None:
        """US dollars by the price list, or None if it does not know the model."""
        usage = Usage(input_tokens=prompt, output_tokens=completion, cache_read_tokens=cached)
        try:
            return calc_price(usage, model_ref=self.model, provider_id=self.provider).total_price
        except LookupError:
            return None


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and value > 0 else 0


def _cached(usage: Mapping[str, Any]) -> int:
    details = usage.get("prompt_tokens_details")
    cached = _count(details, "cached_tokens") if isinstance(details, Mapping) else 0
    return min(cached, _count(usage, "prompt_tokens"))
