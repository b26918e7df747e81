"""All readers of an answer get the same out of it: the gateway, the middle tier and the typed client. The page's script: `test_page.py`."""

from __future__ import annotations

import itertools
import random
from codecs import BOM_UTF8

import httpx
import pytest

from hop.fold import Fold
from llm_providers.openai import CleanFrames
from saas_client import SaaSError, SaaSLLMClient
from tests.answers.cases import CASES, Case
from tests.answers.conftest import Servers
from tests.support.streams import Stream
from wire.accumulate import Accumulator

BY_ID = {case.id: case for case in CASES}
every_case = pytest.mark.parametrize("case", CASES, ids=BY_ID)


def fold_of(stream: Stream) -> Fold:
    fold = Fold()
    fold.take([frame.raw for frame in stream.frames])
    return fold


def check_text(answer: Accumulator, case: Case) -> None:
    assert (answer.content, answer.reasoning, answer.refusal) == (case.text, case.reasoning, case.refusal)
    assert tuple((call.name, call.arguments) for call in answer.tool_calls.values()) == case.calls


def check_end(stream: Stream, case: Case) -> None:
    last = stream.frames[-1]
    if case.error is None:
        assert last.data == "[DONE]"
    else:
        assert (last.event, last.json()["error"]["code"]) == ("failed", case.error)


@every_case
async def test_the_gateway(servers: Servers, case: Case) -> None:
    """What it hands on, how it says that the answer ended, what it charges for, and when the first token came."""
    stream = await servers.through_the_gateway(case)
    fold = fold_of(stream)
    check_text(fold.answer, case)
    check_end(stream, case)
    chunks = [frame for frame in stream.frames if frame.is_chunk]
    assert case.chunks in (None, len(chunks))
    assert fold.receipt is not None
    assert fold.receipt["status"] == ("finished" if case.error is None else "failed")
    assert fold.receipt["finish_reason"] == case.finish_reason
    told = (fold.receipt["usage"]["prompt_tokens"], fold.receipt["usage"]["completion_tokens"])
    assert fold.receipt["estimated"] is (case.usage is None)
    assert case.usage in (None, told)
    (hop,) = fold.hops
    assert hop["first_in_us"] == (None if case.first_token is None else hop["arrivals_us"][case.first_token])
    assert fold.receipt["attempts"][0]["first_token_us"] == hop["first_in_us"]


@every_case
async def test_the_middle_tier(servers: Servers, case: Case) -> None:
    """Its reader gets the same, and so does whoever comes for the stored answer."""
    stream = await servers.through_both(case)
    fold = fold_of(stream)
    check_text(fold.answer, case)
    check_end(stream, case)
    cookie = {"Cookie": stream.headers["set-cookie"].partition(";")[0]}
    async with httpx.AsyncClient(base_url=servers.middle.url, headers=cookie) as client:
        stored = (await client.get(f"/chat/turns/{stream.headers['x-turn-id']}/timing")).json()
    assert stored["state"] == ("finished" if case.error is None else "failed")
    assert len(stored["hops"]) == 2
    for hop in stored["hops"]:
        assert hop["first_in_us"] == (None if case.first_token is None else hop["arrivals_us"][case.first_token])


@every_case
async def test_the_typed_client(servers: Servers, case: Case) -> None:
    """It yields the text, and raises what the call failed with."""
    key, team = servers.credentials["SAAS_VIRTUAL_KEY"], servers.credentials["SAAS_TEAM_ID"]
    text, error = "", None
    async with (
        SaaSLLMClient(servers.gateway.url, key, team) as client,
        client.chat_stream(model_group="chat-fast", messages=[{"role": "user", "content": case.id}]) as stream,
    ):
        try:
            async for delta in stream.text():
                text += delta
        except SaaSError as failure:
            error = failure.code
    assert (text.encode("utf-16", "surrogatepass").decode("utf-16"), error) == (case.text, case.error)


@every_case
def test_the_cut_does_not_matter(case: Case) -> None:
    """However the bytes are cut on their way, the dialect reads the same frames and the same end in them."""
    expected = _cut(case.body, [])
    chance = random.Random(case.id)
    for places in (range(1, len(case.body)), *(sorted(chance.sample(range(len(case.body)), min(3, len(case.body)))) for _ in range(20))):
        assert _cut(case.body, list(places)) == expected


def _cut(body: bytes, places: list[int]) -> tuple[bytes, bool, str, bytes]:
    frames, found = CleanFrames(), b""
    for start, stop in itertools.pairwise([0, *places, len(body)]):
        if not frames.done and frames.failure is None:
            found += b"".join(frames.feed(body[start:stop]))
    found += b"".join(frames.end())
    return found, frames.done, repr(frames.failure), bytes(frames.whole or b"").removeprefix(BOM_UTF8).strip()
