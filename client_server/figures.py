"""The figures beside an answer: computed from what its hops measured, in this one place.

Where the browser saw the answer, its times are what the person saw: from Send to the screen. Otherwise they are this server's, from the
message's arrival on; after a restart the gateway's, which saw all of it. The waterfall counts alike (`waterfall_layout.js`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

Record = Mapping[str, Any]
"""A `wire.records.HopRecord` or `Receipt`, read back from the database: one that an older version wrote may lack a field."""


class Measured(Protocol):
    """A turn that has ended, as far as figures are concerned. Times are Unix seconds."""

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
    """Times are in milliseconds. None is what nobody measured."""

    first_token_ms: float | None
    """Until the first chunk was on the screen, or had left this server. None: no chunk came."""
    total_ms: float | None
    """Until the end came, whatever end that was: also the silence before it."""
    tokens: int | None
    tokens_per_second: float | None
    cost_usd: str | None
    finish_reason: str | None
    on_screen: bool
    """The times are the browser's."""

    def columns(self) -> dict[str, Any]:
        """The figures by name, as a row keeps them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def waited_ms(self) -> float | None:
        """How long it was waited for in vain, where no token came."""
        return self.total_ms if self.first_token_ms is None else None


def figures(turn: Measured) -> Figures | None:
    """The figures of a turn that has ended; None where it did not get as far as to have any."""
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
    """When the turn ended, in microseconds since this server's hop record begins; None before that, and where there is no record.

    The hop's own marks end with the last chunk. So this is taken from the wall clock, which is the same one at both ends.
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
    """Until the hop's first chunk left it, as if its reader had been there."""
    first: int | None = hop.get("first_in_us")
    left: int | None = hop.get("first_out_us")
    if first is None or left is None:
        return first
    dwell = max(0, left - first)
    longest = (hop.get("dwell_us") or {}).get("max")
    return first + (dwell if longest is None else int(min(dwell, longest)))


def _total_us(turn: Measured, own: Record, browser: Record | None) -> int | None:
    """Until the end: at the browser, which notes none, as long after the first chunk as it was here."""
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
    """Tokens a second: between the first chunk and the last, or, where all came at once, since the request."""
    first, last = own.get("first_in_us"), own.get("last_in_us")
    if not tokens or first is None or last is None:
        return None
    seconds = (last - (first if streaming else 0)) / 1e6
    return round(tokens / seconds, 1) if seconds > 0 else None


def _ms(microseconds: int | None) -> float | None:
    return None if microseconds is None else round(microseconds / 1000, 1)
