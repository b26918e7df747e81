"""Chooses among ways to say the same.

A template holds alternatives as `‹one¦another›`, the plainest first. At temperature 0 that one is taken everywhere; the higher the
temperature, the more places draw lots. The draw comes from a seeded generator, so the same seed says the same.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

_ALTERNATIVES = re.compile("‹([^›]*)›")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wording:
    """The choices of one answer. `temperature` is the probability of leaving the plainest wording; above 1 it is certain to draw."""

    rng: random.Random
    temperature: float

    def say(self, template: str) -> str:
        """The template with each of its alternatives decided. Only for texts of ours: a person's words go in afterwards."""
        return _ALTERNATIVES.sub(lambda match: self.choose(match[1].split("¦")), template)

    def choose(self, options: Sequence[T]) -> T:
        """One of the options; the first where the temperature says so."""
        warm = self.rng.random() < self.temperature
        index = self.rng.randrange(len(options))
        return options[index] if warm else options[0]
