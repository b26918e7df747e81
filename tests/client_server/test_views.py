"""What a template is told of a turn."""

from __future__ import annotations

from dataclasses import replace

from client_server.markdown import Renderer
from client_server.views import turn_view
from tests.client_server.test_store import ROW

GATEWAY = {"hop": "saas_api", "first_in_us": 305_000, "last_in_us": 5_000_000}
OWN = {"hop": "client_server", "first_in_us": 310_000, "last_in_us": 5_010_000}
RECEIPT = {"usage": {"completion_tokens": 100}, "cost_usd": "0.000100", "finish_reason": "stop"}


async def test_the_figures_are_this_servers() -> None:
    """Time to first token and total as the middle tier saw them."""
    view = await turn_view(replace(ROW, state="finished", hops=[GATEWAY, OWN], receipt=RECEIPT), Renderer())
    assert view.summary is not None
    assert (view.summary.first_token_ms, view.summary.total_ms) == (310.0, 5010.0)


async def test_after_a_restart_the_figures_are_the_gateways() -> None:
    """A process that took over in mid-answer saw a part of it; what it saw is not what the answer took."""
    resumed = OWN | {"first_in_us": 8_000, "last_in_us": 700_000, "resumed": True}
    view = await turn_view(replace(ROW, state="finished", hops=[GATEWAY, resumed], receipt=RECEIPT), Renderer())
    assert view.summary is not None
    assert (view.summary.first_token_ms, view.summary.total_ms) == (305.0, 5000.0)


async def test_an_answer_that_brought_nothing_says_how_long_it_was_waited_for() -> None:
    """Stopped or failed before its first token, it has no time to first token and no total; one that brought something was not in vain."""
    silent = OWN | {"first_in_us": None, "last_in_us": None}
    row = replace(ROW, state="cancelled", hops=[silent], receipt=RECEIPT, created_at=1000.0, ended_at=1002.5)
    view = await turn_view(row, Renderer())
    assert view.summary is not None
    assert (view.summary.first_token_ms, view.summary.total_ms, view.summary.waited_ms) == (None, None, 2500.0)
    finished = await turn_view(replace(row, hops=[GATEWAY, OWN]), Renderer())
    assert finished.summary is not None
    assert finished.summary.waited_ms is None
