"""The models that this provider offers, and the pace of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

CREATED = 1767225600
"""The `created` of every model: 2026-01-01. OpenAI's format demands the field."""


class Fault(Enum):
    """What a `demo-fault-*` model does wrong. The value is the end of the model's name."""

    STATUS_401 = "status-401"
    STATUS_429 = "status-429"
    STATUS_500 = "status-500"
    STATUS_503 = "status-503"
    HANG = "hang"
    STALL = "stall"
    DROP = "drop"
    NO_DONE = "no-done"
    ERROR_FRAME = "error-frame"
    BAD_JSON = "bad-json"
    CRLF = "crlf"
    SPLIT = "split"
    BIG_FRAME = "big-frame"
    NULL_USAGE = "null-usage"


@dataclass(frozen=True, slots=True)
class Model:
    """A model: its name, its pace in milliseconds, and its fault, if it has one."""

    id: str
    first_token_ms: float = 300
    gap_ms: float = 20
    fault: Fault | None = None
    probe: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The model as `GET /v1/models` shows it."""
        return {"id": self.id, "object": "model", "created": CREATED, "owned_by": "demo"}


def _catalogue() -> Mapping[str, Model]:
    models = [
        Model("demo-fast", 300, 20),
        Model("demo-balanced", 400, 35),
        Model("demo-quality", 500, 50),
        Model("demo-probe", probe=True),
        *(Model(f"demo-fault-{fault.value}", fault=fault) for fault in Fault),
    ]
    return {model.id: model for model in models}


MODELS = _catalogue()
