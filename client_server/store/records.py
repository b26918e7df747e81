"""The records of the store: conversations and turns as they were when they were read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from client_server.figures import Figures, Record

STREAMING = "streaming"
REMEMBERED = ("finished", "cancelled")
"""The states of turns whose text is sent to the model as history."""


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """A conversation of one session."""

    id: str
    session_id: str
    title: str
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRow:
    """A turn as a page shows it: the message, the answer and its figures. The table explains the fields."""

    id: str
    session_id: str
    conversation_id: str | None
    position: int
    replaced: bool = False
    state: str = STREAMING
    streaming: bool
    model_group: str
    temperature: float | None
    user_message: str
    content: str = ""
    error: dict[str, Any] | None = None
    created_at: float
    ended_at: float | None = None
    first_token_ms: float | None = None
    total_ms: float | None = None
    tokens: int | None = None
    tokens_per_second: float | None = None
    cost_usd: str | None = None
    finish_reason: str | None = None
    on_screen: bool | None = None

    @property
    def figures(self) -> Figures | None:
        """The figures beside its answer. None before the end, or if it ended too early to have any."""
        if self.on_screen is None:
            return None
        return Figures(
            first_token_ms=self.first_token_ms,
            total_ms=self.total_ms,
            tokens=self.tokens,
            tokens_per_second=self.tokens_per_second,
            cost_usd=self.cost_usd,
            finish_reason=self.finish_reason,
            on_screen=self.on_screen,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningTurn(TurnRow):
    """A new turn, or one that a former process left, with the gateway's request and the call that it became."""

    request: dict[str, Any] | None
    job_id: str | None = None
    call_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnTimes:
    """A turn's measurements: thousands of numbers, read only for the waterfall."""

    state: str
    streaming: bool
    created_at: float
    ended_at: float | None
    receipt: Record | None
    hops: list[Record] | None
    browser_hop: Record | None
