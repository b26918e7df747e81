"""What the templates show of a conversation and of a turn."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from client_server.markdown import Renderer
from client_server.store import ConversationRow, TurnRow
from client_server.store.records import STREAMING
from client_server.turn import Turn

CHAIN = ("browser", "client_server", "saas_api", "model")


@dataclass(frozen=True, slots=True)
class Summary:
    """The line beside an answer, in milliseconds. None is what nobody measured.

    Where the browser saw the answer, its times are what the person saw: from Send to the screen. Otherwise they are this server's, from the
    message's arrival on. The waterfall counts them alike.
    """

    first_token_ms: float | None
    """Until the first chunk was on the screen, or had left this server."""
    total_ms: float | None
    """Until the end came, whatever end that was: also the silence before it."""
    tokens: int | None
    tokens_per_second: float | None
    cost_usd: str | None
    finish_reason: str | None
    waited_ms: float | None = None
    """How long it was waited for in vain, where no token came."""
    on_screen: bool = False
    """The times are the browser's."""


@dataclass(frozen=True, slots=True)
class TurnView:
    """A turn as the templates know it. `content_html` is empty while the answer streams: the page writes it then."""

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
    summary: Summary | None
    retryable: bool
    created_at: float
    age_ms: int
    """How long ago it was asked, at the moment of rendering."""
    first_token_ms: float | None
    """How long its first token took, where the answer streams and that has come; None also where this process did not see it."""


@dataclass(frozen=True, slots=True)
class ConversationView:
    """An entry of the side bar."""

    id: str
    title: str
    url: str
    active: bool


async def turn_view(row: TurnRow, renderer: Renderer, live: Turn | None = None) -> TurnView:
    """The view of a turn; `live` is its running side, if there is one."""
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
        summary=None if running else _summary(row),
        retryable=bool(row.error and row.error.get("retryable")),
        created_at=row.created_at,
        age_ms=max(0, round((time.time() - row.created_at) * 1000)),
        first_token_ms=_first_token_ms(live) if running and live is not None else None,
    )


def conversation_view(row: ConversationRow, active_id: str | None) -> ConversationView:
    """The view of a conversation; `active_id` is the one that is open."""
    return ConversationView(row.id, row.title, f"/c/{row.id}", row.id == active_id)


def _first_token_ms(live: Turn) -> float | None:
    """A process that took over in mid-answer saw the first token a second time: that says nothing."""
    first = None if live.recovered else live.marks.first_in_us
    return None if first is None else round(first / 1000, 1)


def ended_us(row: TurnRow) -> int | None:
    """When the turn ended, in microseconds since this server's hop record begins; None before that, and where there is no record.

    The hop's own marks end with the last chunk. So this is taken from the wall clock, which is the same one at both ends.
    """
    own = _hops(row).get("client_server")
    if own is None or row.ended_at is None:
        return None
    received_at: float = own["received_at"]
    last_mark: int = own.get("last_out_us") or own.get("last_in_us") or 0
    return max(round((row.ended_at - received_at) * 1e6), last_mark)


def _hops(row: TurnRow) -> dict[str, dict[str, Any]]:
    return {str(hop.get("hop")): hop for hop in row.hops or ()}


def _summary(row: TurnRow) -> Summary | None:
    """The figures beside an answer, as the browser saw it, or this server; after a restart, as the gateway did, which saw all of it."""
    hops = _hops(row)
    own = hops.get("client_server")
    if own is not None and own.get("resumed"):
        own = hops.get("saas_api", {})
    receipt = row.receipt or {}
    if own is None or (not receipt and own.get("first_in_us") is None):
        return None
    arrived, last = own.get("first_in_us"), own.get("last_in_us")
    browser = row.browser_hop if row.browser_hop and row.browser_hop.get("first_in_us") is not None else None
    first, total = _first_departure(browser or own), _total_us(row, own, browser)
    tokens = (receipt.get("usage") or {}).get("completion_tokens")
    seconds = (last - (arrived if row.streaming else 0)) / 1e6 if arrived is not None and last is not None else 0.0
    cost = receipt.get("cost_usd")
    return Summary(
        first_token_ms=_ms(first),
        total_ms=None if first is None else _ms(total),
        tokens=tokens,
        tokens_per_second=round(tokens / seconds, 1) if tokens and seconds > 0 else None,
        cost_usd=None if cost is None else str(cost),
        finish_reason=receipt.get("finish_reason"),
        waited_ms=_ms(total) if first is None else None,
        on_screen=browser is not None,
    )


def _first_departure(hop: dict[str, Any]) -> int | None:
    """Until the hop's first chunk left it, as if its reader had been there: the same as in `waterfall_layout.js`."""
    first, left = hop.get("first_in_us"), hop.get("first_out_us")
    if first is None or left is None:
        return first
    longest = (hop.get("dwell_us") or {}).get("max")
    dwell = max(0, left - first)
    return int(first + (dwell if longest is None else min(dwell, longest)))


def _total_us(row: TurnRow, own: dict[str, Any], browser: dict[str, Any] | None) -> int | None:
    """Until the end: at the browser, which notes none, as long after the first chunk as it was here (so in `waterfall_layout.js` too)."""
    end = ended_us(row)
    if end is None:
        return own.get("last_in_us")
    if own.get("hop") != "client_server":
        return round(((row.ended_at or 0) - row.created_at) * 1e6)  # this server's record begins with the restart
    if browser is None:
        return end
    left = own.get("first_out_us")
    return max(browser.get("last_out_us") or 0, end if left is None else browser["first_in_us"] + end - left)


def _ms(microseconds: int | None) -> float | None:
    return None if microseconds is None else round(microseconds / 1000, 1)
