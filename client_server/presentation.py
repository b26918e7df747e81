"""The views of a conversation and a turn that the templates show."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from client_server.figures import Figures
from client_server.rendering.renderer import Renderer
from client_server.store import ConversationRow, TurnRow
from client_server.store.records import STREAMING
from client_server.turn import Turn

CHAIN = ("browser", "client_server", "saas_api", "model")


@dataclass(frozen=True, slots=True)
class TurnView:
    """A turn as the templates see it. While the answer streams, `content_html` is empty and the page writes the text."""

    id: str
    user_message: str
    state: str
    content_html: Markup
    content: str
    error: dict[str, Any] | None
    events_url: str
    streaming: bool
    model_group: str
    temperature: float | None
    figures: Figures | None
    retryable: bool
    created_at: float
    age_ms: int
    """How long ago it was asked, when this was rendered."""
    first_token_ms: float | None
    """How long the first token of a streaming answer took. None if it has not come, or if this process did not see it."""


@dataclass(frozen=True, slots=True)
class ConversationView:
    """An entry of the sidebar."""

    id: str
    title: str
    url: str
    active: bool


async def turn_view(row: TurnRow, renderer: Renderer, live: Turn | None = None) -> TurnView:
    """Returns the view of a turn. `live` is its running side, if there is one."""
    running = row.state == STREAMING
    return TurnView(
        id=row.id,
        user_message=row.user_message,
        state=row.state,
        content_html=Markup() if running else await renderer.render(row.content),
        content="" if running else row.content,
        error=row.error,
        events_url=f"/chat/turns/{row.id}/events",
        streaming=row.streaming,
        model_group=row.model_group,
        temperature=row.temperature,
        figures=row.figures,
        retryable=bool(row.error and row.error.get("retryable")),
        created_at=row.created_at,
        age_ms=max(0, round((time.time() - row.created_at) * 1000)),
        first_token_ms=await _first_token_ms(live) if running and live is not None else None,
    )


def conversation_view(row: ConversationRow, active_id: str | None) -> ConversationView:
    """Returns the view of a conversation. `active_id` is the open one."""
    return ConversationView(row.id, row.title, f"/c/{row.id}", row.id == active_id)


async def _first_token_ms(live: Turn) -> float | None:
    """A process that took over in mid-answer saw the first token a second time, so its time means nothing."""
    first = None if live.recovered else await live.first_token_us()
    return None if first is None else round(first / 1000, 1)
