"""The waterfall's layout: rows are nested and the sum adds up, whatever the clocks of the hops."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.web.page_server import PageServer

pytestmark = pytest.mark.browser


def hop(name: str, sent: int, first: int, last: int, held: int = 50, **more: Any) -> dict[str, Any]:
    """A record in microseconds, with an arrival every 20 ms."""
    return {
        "hop": name,
        "received_at": 1.0e9 * len(name),  # unrelated clocks
        "upstream_sent_us": sent,
        "upstream_headers_us": sent + 100,
        "first_in_us": first,
        "first_out_us": first + held,
        "last_in_us": last,
        "last_out_us": last + held,
        "frames": 10,
        "bytes": 2000,
        "reads": 10,
        "dwell_us": {"p50": held, "p99": held, "max": held},
        "arrivals_us": list(range(first, last + 1, 20_000)),
        **more,
    }


HOPS = [
    hop("saas_api", 1_400, 301_700, 901_700),
    hop("client_server", 900, 303_900, 903_900),
    hop("browser", 300, 312_000, 912_000, 6_300),
]


@pytest.fixture
def layout(page: Page, server: PageServer) -> Any:
    """Calls a function of waterfall_layout.js."""
    page.goto(server.url + "/blank")

    def call(name: str, *arguments: Any) -> Any:
        script = """async ([name, arguments_]) => {
          const module = await import("/static/js/waterfall_layout.js");
          const plain = (_, value) => (value instanceof Map ? Object.fromEntries(value) : value);
          return JSON.parse(JSON.stringify(module[name](...arguments_), plain));
        }"""
        return page.evaluate(script, [name, list(arguments)])

    return call


def test_each_row_lies_inside_its_parents_wait(layout: Any) -> None:
    """From the browser to the model, a hop's request begins and its first chunk leaves while the hop below waits for it."""
    rows = layout("layoutWaterfall", HOPS)["rows"]
    assert ["browser", "client_server", "saas_api", "model"] == [row["hop"] for row in rows]
    for parent, child in pairwise(rows):
        assert parent["wait"]["start"] <= child["origin_us"]
        assert child["wait"]["end"] <= parent["wait"]["end"]


def test_a_child_stands_in_the_middle_of_the_spare_wait(layout: Any) -> None:
    """A row is centred in the spare wait of its parent, because the way there and the way back cannot be told apart."""
    rows = layout("layoutWaterfall", HOPS)["rows"]
    spare = (312_000 - 300) - (303_900 + 50)
    assert rows[1]["origin_us"] == 300 + spare / 2


def test_the_parts_add_up_to_the_first_token(layout: Any) -> None:
    """The model, the hops and the time between them add up to the whole time until the first paint."""
    parts = layout("layoutWaterfall", HOPS)["parts"]
    assert parts["total_us"] == 318_300
    assert sum(parts["own"].values()) + parts["between_us"] == parts["total_us"]
    assert parts["own"] == {"browser": 6_600, "client_server": 950, "saas_api": 1_450, "model": 300_300}


def test_the_parts_that_are_told_add_up_after_rounding(layout: Any) -> None:
    """The rounded parts add up to the rounded total, to a tenth of a millisecond."""
    for shift in range(0, 100, 7):
        odd = [hop("saas_api", 1_433 + shift, 301_777, 901_700, 49), hop("client_server", 955, 303_949 + shift, 903_900, 51)]
        parts = layout("layoutWaterfall", odd)["parts"]
        names = ["model", "saas_api", "client_server"]
        rounded = layout("roundedParts", [*(parts["own"][name] for name in names), parts["between_us"]], parts["total_us"])
        assert sum(rounded) == round(parts["total_us"] / 100) * 100


def test_a_row_shows_the_figure_that_is_told(layout: Any) -> None:
    """A row shows the same rounded figure as the sentence, or a finer one if the time is very short."""
    odd = [hop("saas_api", 1_455, 301_780, 901_700, 44), hop("client_server", 955, 303_955, 903_900, 39)]
    found = layout("layoutWaterfall", odd)
    parts = found["parts"]
    exact = [parts["own"][name] for name in ("model", "saas_api", "client_server")]
    told = layout("roundedParts", [*exact, parts["between_us"]], parts["total_us"])
    own = {row["hop"]: row["own_us"] for row in found["rows"]}
    assert [own["model"], own["saas_api"]] == told[:2]
    assert own["client_server"] == exact[2] == 994


def test_no_part_is_negative_where_marks_contradict_each_other(layout: Any) -> None:
    """No part is negative, even if the next hop saw bytes before their departure was noted."""
    late = [hop("saas_api", 1_400, 301_700, 901_700, 9_000), hop("client_server", 900, 302_000, 903_900)]
    found = layout("layoutWaterfall", late)
    assert min([*found["parts"]["own"].values(), found["parts"]["between_us"]]) >= 0
    assert sum(found["parts"]["own"].values()) + found["parts"]["between_us"] == found["parts"]["total_us"]
    assert found["rows"][1]["origin_us"] >= found["rows"][0]["wait"]["start"]


def test_a_reader_that_came_late_is_not_the_hops_own_time(layout: Any) -> None:
    """The wait for a late reader is not the hop's own time, because the chunk's dwell shows that the hop did not hold it."""
    absent = [hop("client_server", 900, 300_900, 903_900, first_out_us=5_000_000, dwell_us={"p50": 40, "p99": 60, "max": 70})]
    assert layout("layoutWaterfall", absent)["parts"]["own"]["client_server"] == 970


def test_records_with_gaps_are_drawn_as_far_as_they_go(layout: Any) -> None:
    """An answer that failed before its first chunk is drawn with a request and nothing else."""
    nothing = {"upstream_headers_us": None, "first_in_us": None, "first_out_us": None, "last_in_us": None, "last_out_us": None}
    empty = hop("saas_api", 1_400, 0, 0) | nothing | {"arrivals_us": [], "dwell_us": {"p50": None, "p99": None, "max": None}}
    found = layout("layoutWaterfall", [empty])
    assert found["parts"] is None
    assert [row["streaming"] for row in found["rows"]] == [None, None]
    assert layout("layoutWaterfall", [])["rows"] == []


def test_a_burst_is_blamed_on_the_link_that_made_it(layout: Any) -> None:
    """If chunks reached saas_api one by one and client_server all at once, the link between the two is blamed."""
    held = [HOPS[0], hop("client_server", 900, 303_900, 903_900, arrivals_us=[903_900] * 30)]
    assert layout("layoutWaterfall", held)["burst"] == {"at": "client_server", "above": "saas_api", "chunks": 30}
    assert layout("layoutWaterfall", HOPS)["burst"] is None


def test_the_axis_runs_to_the_end(layout: Any) -> None:
    """The axis includes the silence after the last chunk; the end is as long after the first chunk at the browser as at client_server."""
    found = layout("layoutWaterfall", HOPS, 3_903_900)
    assert found["end"] == {"at_us": 312_000 + 3_903_900 - 303_950, "silence_us": 3_000_000}
    assert found["span_us"] == found["end"]["at_us"]
    assert found["flow_end_us"] == 918_300
    below = layout("layoutWaterfall", HOPS[:2], 3_903_900)
    assert (below["end"]["at_us"], below["span_us"]) == (3_903_900, 3_903_900)
    for unknown in (layout("layoutWaterfall", HOPS), layout("layoutWaterfall", HOPS[:1], 3_903_900)):
        assert unknown["end"] is None
        assert unknown["span_us"] == unknown["flow_end_us"]


DRAW = """async ([timing, width]) => {
  const { draw } = await import("/static/js/waterfall.js");
  const target = document.createElement("div");
  target.style.width = `${width}px`;
  document.body.replaceChildren(target);
  draw(target, timing);
}"""


@pytest.mark.parametrize("width", [300, 700])
def test_a_silence_before_the_end_is_told_and_drawn(page: Page, server: PageServer, width: int) -> None:
    """A final silence has a band from the last chunk to the end, its length in the sentence and a legend entry, otherwise none of them."""
    page.goto(server.url + "/blank")
    for state, ended, words in (
        ("failed", 3_903_900, "The last chunk was followed by 3\u202f000.0 ms of silence, until the answer failed."),
        ("cancelled", 2_003_900, "The last chunk was followed by 1\u202f100.0 ms of silence, until it was stopped."),
        ("finished", 905_000, None),
    ):
        page.evaluate(DRAW, [{"state": state, "ended_us": ended, "hops": HOPS}, width])
        page.wait_for_selector("svg[role=img]")
        told = page.locator(".waterfall-sum").inner_text()
        bands = page.locator(".wf-silence rect")
        assert page.locator(".waterfall-legend [data-kind=silence]").count() == bands.count() == (1 if words else 0)
        if words is None:
            assert "silence" not in told
            continue
        assert told.endswith(words)
        box = bands.evaluate("band => ({ x: band.x.baseVal.value, end: band.x.baseVal.value + band.width.baseVal.value })")
        flow = page.locator(".wf-row[data-hop=browser] .wf-flow").evaluate("bar => bar.x.baseVal.value + bar.width.baseVal.value")
        assert box["x"] == pytest.approx(flow, abs=0.5)
        assert box["end"] == pytest.approx(width - 1, abs=1)


def test_an_answer_that_brought_nothing_says_how_long(page: Page, server: PageServer) -> None:
    """An answer without chunks has no bars, but the length of the wait is shown."""
    page.goto(server.url + "/blank")
    nothing = dict.fromkeys(("first_in_us", "first_out_us", "last_in_us", "last_out_us"))
    page.evaluate(DRAW, [{"state": "failed", "ended_us": 3_001_200, "hops": [HOPS[1] | nothing | {"arrivals_us": []}]}, 700])
    assert page.locator(".waterfall-sum").inner_text() == "No chunk arrived in 3\u202f001.2 ms, so there is nothing to draw."


@pytest.mark.parametrize("width", [300, 420, 700, 760])
def test_every_line_of_the_axis_has_its_label(page: Page, server: PageServer, width: int) -> None:
    """Every line of the axis has a label, even the last one, and no label sticks out or overlaps another."""
    page.goto(server.url + "/blank")
    for ended in (1_000_000, 1_999_000, 3_300_000, 8_001_000, 47_900_000):
        page.evaluate(DRAW, [{"state": "failed", "ended_us": ended, "hops": HOPS}, width])
        page.wait_for_selector("svg[role=img]")
        lines = page.locator(".wf-axis line").count()
        labels = page.locator(".wf-axis text").evaluate_all(
            "all => all.map((label) => [label.getBBox().x, label.getBBox().x + label.getBBox().width])"
        )
        assert lines == len(labels) > 1
        assert labels[-1][1] <= width
        assert all(before[1] < after[0] for before, after in pairwise(labels))


def test_the_browsers_figure_says_what_is_in_it(page: Page, server: PageServer) -> None:
    """If there is a browser row, a note says that its times include the wait for an animation frame."""
    page.goto(server.url + "/blank")
    page.evaluate(DRAW, [{"hops": HOPS}, 700])
    own = page.locator(".wf-row[data-hop=browser] .wf-own")
    assert (own.text_content() or "").startswith("+6.6 ms · 6.3 ms to paint")
    assert "animation frame" in (own.locator("title").text_content() or "")
    assert "animation frame" in page.locator(".waterfall-note").inner_text()
    page.evaluate(DRAW, [{"hops": HOPS[:2]}, 700])
    assert page.locator(".waterfall-note").count() == 0


def test_the_picture_fits_and_says_the_sum(page: Page, server: PageServer) -> None:
    """At any width, the drawn waterfall has a row per hop, a lane per record, a sentence, notes and a table."""
    page.goto(server.url + "/blank")
    for width in (300, 700):
        page.evaluate(DRAW, [{"hops": [*HOPS[:2], HOPS[2] | {"resumed": True}]}, width])
        page.wait_for_selector("svg[role=img]")
        assert page.locator(".wf-row").count() == 4
        assert page.locator(".wf-lane").count() == 3
        text = page.locator(".waterfall-sum").inner_text()
        assert text.startswith("First token on the screen after 318.3 ms: 300.3 ms in the model, ")
        assert "browser was restarted" in page.locator(".waterfall-note").first.inner_text()
        assert page.evaluate("document.querySelector('svg').getBoundingClientRect().width") <= width
        end_of_wait = "document.querySelector('.wf-row[data-hop=browser] .wf-flow').getBBox().x"
        whole = page.evaluate(end_of_wait)
        page.get_by_role("button", name="First token").click()
        assert page.evaluate(end_of_wait) > whole + 50
        assert page.locator(".marks thead th").all_text_contents() == ["browser", "client_server", "saas_api"]
        page.evaluate(DRAW, [{"hops": [HOPS[0], HOPS[1] | {"resumed": True}]}, width])
        assert "through client_server, counted from its restart, after " in page.locator(".waterfall-sum").inner_text()
        page.evaluate(DRAW, [{"streaming": False, "hops": HOPS}, width])
        assert page.locator(".waterfall-sum").inner_text().startswith("Answer on the screen after 318.3 ms: ")
