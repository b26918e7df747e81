"""The figures beside an answer."""

from __future__ import annotations

from dataclasses import replace

from client_server.figures import ended_us, figures
from client_server.store import TurnTimes

ROW = TurnTimes(state="streaming", streaming=True, created_at=1.0, ended_at=None, receipt=None, hops=None, browser_hop=None)
GATEWAY = {"hop": "saas_api", "received_at": 999.9, "first_in_us": 305_000, "last_in_us": 5_000_000}
OWN = {"hop": "client_server", "received_at": 999.5, "first_in_us": 310_000, "last_in_us": 5_010_000}
BROWSER = {
    "hop": "browser",
    "received_at": 7.0,
    "first_in_us": 330_000,
    "first_out_us": 345_000,
    "last_in_us": 5_030_000,
    "last_out_us": 5_046_000,
}
RECEIPT = {"usage": {"completion_tokens": 100}, "cost_usd": "0.000100", "finish_reason": "stop"}


def test_the_figures_are_this_servers() -> None:
    """Time to first token and total are as the middle tier saw them."""
    found = figures(replace(ROW, state="finished", hops=[GATEWAY, OWN], receipt=RECEIPT))
    assert found is not None
    assert (found.first_token_ms, found.total_ms) == (310.0, 5010.0)


def test_the_total_runs_to_the_end_and_not_to_the_last_chunk() -> None:
    """A model that fell silent for three seconds and then failed took three seconds more. That does not change its token rate."""
    row = replace(ROW, state="failed", hops=[GATEWAY, OWN], receipt=RECEIPT, created_at=999.6, ended_at=1007.51)
    found = figures(row)
    assert found is not None
    assert (found.first_token_ms, found.total_ms) == (310.0, 8010.0)
    assert found.tokens_per_second == 21.3
    assert ended_us(row) == 8_010_000
    assert ended_us(replace(row, ended_at=None)) is None
    assert ended_us(replace(row, hops=None)) is None


def test_where_the_browser_saw_it_the_figures_are_its_own() -> None:
    """The times run from Send to the first paint, and to the end, which is as long after the first chunk as it was here."""
    left = OWN | {"first_out_us": 310_100, "last_out_us": 5_010_100, "dwell_us": {"max": 100}}
    row = replace(ROW, state="failed", hops=[GATEWAY, left], browser_hop=BROWSER, receipt=RECEIPT, ended_at=1007.51)
    found = figures(row)
    assert found is not None
    assert (found.first_token_ms, found.total_ms, found.on_screen) == (345.0, 8029.9, True)
    at_once = figures(replace(row, state="finished", ended_at=1004.511))
    assert at_once is not None
    assert at_once.total_ms == 5046.0  # the last paint came after the end


def test_a_chunk_that_waited_for_its_reader_was_there_before() -> None:
    """The wait for the first token ends where it does in the waterfall. The delay of a late reader does not count."""
    late = OWN | {"first_out_us": 4_000_000, "dwell_us": {"max": 400}}
    found = figures(replace(ROW, state="finished", hops=[GATEWAY, late], receipt=RECEIPT))
    assert found is not None
    assert found.first_token_ms == 310.4


def test_after_a_restart_the_figures_are_the_gateways() -> None:
    """A process that took over in mid-answer saw only a part of it, so its times are not the answer's."""
    resumed = OWN | {"first_in_us": 8_000, "last_in_us": 700_000, "resumed": True}
    row = replace(ROW, state="finished", hops=[GATEWAY, resumed], receipt=RECEIPT)
    found = figures(row)
    assert found is not None
    assert (found.first_token_ms, found.total_ms) == (305.0, 5000.0)
    ended = figures(replace(row, created_at=995.0, ended_at=1000.3))
    assert ended is not None
    assert ended.total_ms == 5300.0


def test_an_answer_that_brought_nothing_says_how_long_it_was_waited_for() -> None:
    """If an answer stops or fails before its first token, it has no time to first token, and all of its time was waiting."""
    silent = OWN | {"first_in_us": None, "last_in_us": None}
    row = replace(ROW, state="cancelled", hops=[silent], receipt=RECEIPT, created_at=999.6, ended_at=1002.0)
    found = figures(row)
    assert found is not None
    assert (found.first_token_ms, found.total_ms, found.waited_ms) == (None, 2500.0, 2500.0)
    finished = figures(replace(row, hops=[GATEWAY, OWN]))
    assert finished is not None
    assert finished.waited_ms is None
