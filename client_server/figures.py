"""The figures beside an answer, computed from its hops' records. Nothing else computes them.

If a browser showed the answer, the times are those that the person saw: from Send to the screen. Otherwise they are this server's,
counted from the message's arrival. After a restart they are the gateway's, which saw the whole answer. The waterfall counts in the
same way (`waterfall_layout.js`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

Record = Mapping[str, Any]
"""A `wire.records.HopRecord` or `Receipt` from the database. An older version may have written it without some field."""


class Measured(Protocol):
    """The parts of an ended turn that figures are computed from. Times are Unix seconds."""

    @property
    def streaming(self) -> bool: ...
    @property
    def receipt(self) -> Record | None: ...
    @property
    def hops(self) -> Sequence[Record] | None: ...
    @property
    def browser_hop(self) -> Record | None: ...
    @property
    def created_at(self) -> float: ...
    @property
    def ended_at(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Figures:
    """Times are in milliseconds. None means not measured."""

    first_token_ms: float | None
    """Until the first token was on the screen, or left this server. None if none came."""
    total_ms: float | None
    """Until the end, whatever end that was, with any silence before it."""
    tokens: int | None
    tokens_per_second: float | None
    cost_usd: str | None
    finish_reason: str | None
    on_screen: bool
    """Whether the times are the browser's."""

    def columns(self) -> dict[str, Any]:
        """Returns the figures by name, as a row stores them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def waited_ms(self) -> float | None:
        """How long the person waited, if no token came."""
        return self.total_ms if self.first_token_ms is None else None


def figures(turn: Measured) -> Figures | None:
    """Returns the figures of an ended turn, or None if it ended too early to have any."""
    hops = _by_name(turn)
    own = hops.get("client_server")
    if own is not None and own.get("resumed"):
        own = hops.get("saas_api", {})
    receipt = turn.receipt or {}
    if own is None or (not receipt and own.get("first_in_us") is None):
        return None
    browser = turn.browser_hop
    if browser is not None and browser.get("first_in_us") is None:
        browser = None
    tokens = (receipt.get("usage") or {}).get("completion_tokens")
    cost = receipt.get("cost_usd")
    return Figures(
        first_token_ms=_ms(_first_departure(browser or own)),
        total_ms=_ms(_total_us(turn, own, browser)),
        tokens=tokens,
        tokens_per_second=_rate(tokens, own, streaming=turn.streaming),
        cost_usd=None if cost is None else str(cost),
        finish_reason=receipt.get("finish_reason"),
        on_screen=browser is not None,
    )


def ended_us(turn: Measured) -> int | None:
    """Returns when the turn ended, in microseconds since the start of this server's hop record; None before the end or without a record.

    The hop's own marks end with the last chunk. So this comes from the wall clock, the same one at both ends.
    """
    own = _by_name(turn).get("client_server")
    if own is None or turn.ended_at is None:
        return None
    last_mark: int = own.get("last_out_us") or own.get("last_in_us") or 0
    received_at: float = own["received_at"]
    return max(round((turn.ended_at - received_at) * 1e6), last_mark)


def _by_name(turn: Measured) -> dict[str, Record]:
    return {str(hop.get("hop")): hop for hop in turn.hops or ()}


def _first_departure(hop: Record) -> int | None:
    """Returns the time until the first token left the hop, as if a reader had always been there."""
    first: int | None = hop.get("first_in_us")
    left: int | None = hop.get("first_out_us")
    if first is None or left is None:
        return first
    dwell = max(0, left - first)
    longest = (hop.get("dwell_us") or {}).get("max")
    return first + (dwell if longest is None else int(min(dwell, longest)))


def _total_us(turn: Measured, own: Record, browser: Record | None) -> int | None:
    """Returns the time until the end. The browser does not record it: it is taken to be as long after the first token as here."""
    end = ended_us(turn)
    if end is None:
        last: int | None = own.get("last_in_us")
        return last
    if own.get("hop") != "client_server":
        return round(((turn.ended_at or 0) - turn.created_at) * 1e6)  # this server's record begins with the restart
    if browser is None:
        return end
    left = own.get("first_out_us")
    return max(browser.get("last_out_us") or 0, end if left is None else (browser["first_in_us"] or 0) + end - left)


def _rate(tokens: int | None, own: Record, *, streaming: bool) -> float | None:
    """Returns tokens per second between the first token and the last chunk, or since the request if all came at once."""
    first, last = own.get("first_in_us"), own.get("last_in_us")
    if not tokens or first is None or last is None:
        return None
    seconds = (last - (first if streaming else 0)) / 1e6
    return round(tokens / seconds, 1) if seconds > 0 else None


def _ms(microseconds: int | None) -> float | None:
    return None if microseconds is None else round(microseconds / 1000, 1)
