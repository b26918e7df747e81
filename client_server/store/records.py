"""What the store hands out: conversations and turns as they were at the moment of reading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

STREAMING = "streaming"
REMEMBERED = ("finished", "cancelled")
"""The states of turns whose text the model is shown again as the conversation's history."""


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """A conversation of one session."""

    id: str
    session_id: str
    title: str
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class TurnRow:
    """A turn: what a person wrote, what came back, and how it went. See the table for the fields' meaning."""

    id: str
    session_id: str
    conversation_id: str | None
    position: int
    replaced: bool
    state: str
    streaming: bool
    model_group: str
    temperature: float | None
    user_message: str
    request: dict[str, Any] | None
    content: str
    error: dict[str, Any] | None
    receipt: dict[str, Any] | None
    hops: list[dict[str, Any]] | None
    browser_hop: dict[str, Any] | None
    job_id: str | None
    call_id: str | None
    created_at: float
    ended_at: float | None
