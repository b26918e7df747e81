"""Tokens come at the pace of their model, and a long answer does not fall behind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import pytest

from demo_llm.pacing import JITTER, Schedule
from tests.demo_llm.client import Demo

PACES = {"demo-fast": (300, 20), "demo-balanced": (400, 35), "demo-quality": (500, 50)}
EARLY_MS = 2
"""How early a token may seem to come, since the event loop's timers count in whole milliseconds."""
LATE_MS = 40
"""How much later than the most punctual token half of the tokens may come, on a machine that is busy with other tests."""
REACHED_MS = 500
"""How long a request may take to reach the server on such a machine. The server's schedule begins only then."""


def assert_on_schedule(times_ms: Sequence[float], first_ms: float, gap_ms: float, jitter: float = JITTER) -> None:
    """No token is early, half of them are on time, and late tokens do not delay those at the end."""
    lateness = [at - (first_ms + index * gap_ms) for index, at in enumerate(times_ms)]
    assert -gap_ms * jitter - EARLY_MS <= min(lateness) <= REACHED_MS
    assert median(lateness) - min(lateness) <= LATE_MS
    assert min(lateness[-15:]) - min(lateness) <= LATE_MS / 2


async def test_each_model_keeps_its_pace(demo: Demo) -> None:
    """The first token comes after the model's delay, the others come one gap apart, and delays do not add up."""
    told = await asyncio.gather(*(demo.tell("count to 25", model=model) for model in PACES))
    for (first_ms, gap_ms), answer in zip(PACES.values(), told, strict=True):
        times = answer.token_times_ms
        assert len(times) == 50
        assert_on_schedule(times, first_ms, gap_ms)
        assert median(after - before for before, after in pairwise(times)) == pytest.approx(gap_ms, rel=0.3)


async def test_an_answer_that_is_not_streamed_takes_as_long(demo: Demo) -> None:
    """Without streaming, the answer arrives when a stream's last token would."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    answer = await demo.ask("count to 15")
    took_ms = 1000 * (loop.time() - begun)
    due_ms = 300 + 20 * (answer["usage"]["completion_tokens"] - 1)
    assert due_ms - 20 * JITTER - EARLY_MS <= took_ms <= due_ms + REACHED_MS


async def test_tokens_leave_one_by_one(demo: Demo) -> None:
    """Tokens arrive one per read, except a few on a busy machine: the server does not collect them."""
    answer = await demo.tell("count to 15")
    assert len(answer.token_times_ms) == 30
    assert len(set(answer.token_times_ms)) >= 24


def test_the_jitter_is_the_same_for_a_seed() -> None:
    """Two schedules with the same seed agree on every token; schedules with different seeds do not."""
    one, same, other = (Schedule(0, 300, 20, seed) for seed in ("7", "7", "8"))
    assert [one.due_ns(index) for index in range(200)] == [same.due_ns(index) for index in range(200)]
    assert [one.due_ns(index) for index in range(200)] != [other.due_ns(index) for index in range(200)]


def test_the_jitter_neither_reorders_nor_drifts() -> None:
    """Tokens are due in order, and even in a long answer each is within the jitter of its own due time."""
    schedule = Schedule(0, 300, 20, "seed")
    dues = [schedule.due_ns(index) for index in range(5000)]
    assert dues == sorted(dues)
    assert dues[0] == 300_000_000
    for index in (1, 100, 4999):
        assert abs(dues[index] / 1e6 - (300 + 20 * index)) <= 20 * JITTER
    assert len({due - round(due, -7) for due in dues[:50]}) > 25


@pytest.mark.parametrize("prompt", ['{"frames": 20, "gap_ms": 25, "bytes": 100}'])
async def test_the_probe_sends_what_its_script_says(demo: Demo, prompt: str) -> None:
    """The probe sends the number, size and gap of frames in its script, each with its index and the time when it was sent."""
    answer = await demo.tell(prompt, model="demo-probe", stream_options={"include_usage": True})
    lines = answer.folded.content.splitlines(keepends=True)
    assert [len(line.encode()) for line in lines] == [100] * 20
    heads = [line.split() for line in lines]
    assert [head[0] for head in heads] == [f"#{index}" for index in range(20)]
    sent_ms = [int(head[1].removeprefix("@")) / 1000 for head in heads]
    assert_on_schedule(sent_ms, 100, 25, jitter=0)
    delays = [arrived - sent for sent, arrived in zip(sent_ms, answer.token_times_ms, strict=True)]
    assert min(delays) >= 0
    assert median(delays) - min(delays) <= LATE_MS
    assert answer.folded.finish_reason == "stop"
    assert (answer.folded.usage or {})["completion_tokens"] == 20


async def test_the_probe_takes_any_prompt(demo: Demo) -> None:
    """A prompt that is not a script gets the default script, and the answer also comes without streaming."""
    text = await demo.say("hello", model="demo-probe")
    assert [len(line) for line in text.splitlines()] == [63] * 50


@pytest.mark.parametrize("script", ['{"frames": 0}', '{"gap_ms": -1}', '{"bytes": 9999999999}', '{"frames": "many"}', '{"speed": 1}'])
async def test_a_wrong_script_is_refused(demo: Demo, script: str) -> None:
    """The refusal of a wrong script names the wrong value."""
    body = {"model": "demo-probe", "messages": [{"role": "user", "content": script}]}
    status, _, answer = await demo.request("POST", "/v1/chat/completions", body)
    assert status == 400
    assert script.split('"')[1] in answer["error"]["message"]
