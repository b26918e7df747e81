"""Chooses among different wordings of the same text.

A template holds alternatives as `‹one¦another›`, the plainest first. At temperature 0 the plainest is always taken. The higher the
temperature, the more often one is drawn at random. The generator is seeded, so the same seed gives the same words.
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
    """The choices of one answer. `temperature` is the probability of a random choice instead of the plainest; from 1 on it is certain."""

    rng: random.Random
    temperature: float

    def say(self, template: str) -> str:
        """The template with each alternative decided. Use it only for our own texts, and insert a person's words afterwards."""
        return _ALTERNATIVES.sub(lambda match: self.choose(match[1].split("¦")), template)

    def choose(self, options: Sequence[T]) -> T:
        """One of the options: at random or the first, as the temperature decides."""
        warm = self.rng.random() < self.temperature
        index = self.rng.randrange(len(options))
        return options[index] if warm else options[0]
