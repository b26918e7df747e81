"""The end of a call is recorded, whatever the provider says and whatever the database does, and once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from hop.shelf import Shelf
from llm_providers import Price, Target, Transport
from saas_api import jobs as job_records
from saas_api.auth import Authenticator, Identity
from saas_api.calls import AlreadySettled, Call, Calls, Settlement
from saas_api.generation import Generation
from saas_api.generations import Generations
from saas_api.jobs import Jobs
from saas_api.model_groups import Deployment, ModelGroup, ModelGroups
from saas_api.schemas import CallRequest, JobRequest
from saas_api.store import MIGRATIONS
from saas_api.usage import trusted_text, trusted_usage
from storage.database import Database, open_engine
from storage.engines import Engine
from storage.outages import DatabaseAway
from tests.support.ports import free_port
from tests.support.served import until
from wire.errors import ErrorCode, WireError
from wire.log import Outcome
from wire.timing import now_ns

JOB = JobRequest(team_id="team", job_type="test")
REQUEST = CallRequest(model_group="group", messages=[{"role": "user", "content": "hello"}])


class Records:
    """The gateway's records, and a database that can be told to fail."""

    def __init__(self, engine: Engine) -> None:
        self.failures = 0
        self.lost_answers = 0
        """How many commits are done, while their caller is told that the connection was lost."""
        self._engine = engine
        target = Target("openai", "model", f"http://127.0.0.1:{free_port()}/v1", None)
        groups = ModelGroups([ModelGroup("group", [Deployment("openai/model", target, Price("openai", "model"))])])
        self.groups = groups
        database = Database(replace(engine, transact=self.transact))
        self.calls = Calls(database, groups)
        self.jobs = Jobs(database)
        self.authenticator = Authenticator(database, "pepper" * 4)
        self.identity = Identity("team", "", None)

    async def transact(self, works: Any) -> Any:
        if self.failures:
            self.failures -= 1
            raise OperationalError("COMMIT", {}, OSError("the disk is full"))
        results = await self._engine.transact(works)
        if self.lost_answers:
            self.lost_answers -= 1
            raise OperationalError("COMMIT", {}, OSError("the connection was lost"))
        return results


@pytest.fixture
async def records(database_url: str) -> AsyncIterator[Records]:
    async with open_engine(database_url, MIGRATIONS) as engine:
        made = Records(engine)
        await made.authenticator.ensure_first_team("team", "sk-test-0123456789")
        made.identity = await made.authenticator.identify("Bearer sk-test-0123456789")
        yield made


async def status(records: Records, job_id: str) -> tuple[str, str]:
    job = await records.jobs.get(records.identity, job_id)
    return job["status"], job["calls"][0]["status"]


def finished(tokens: int = 9) -> Settlement:
    return Settlement(Outcome.FINISHED, None, [], {"prompt_tokens": 1, "completion_tokens": tokens}, False, "stop")


async def test_a_call_is_settled_once(records: Records) -> None:
    """Whoever comes second is told so, and changes nothing: the receipt and the record cannot differ."""
    call = await records.calls.open(records.identity, REQUEST, JOB, streamed=True)
    receipt = await records.calls.settle(call, finished())
    assert receipt["usage"]["total_tokens"] == 10
    with pytest.raises(AlreadySettled):
        await records.calls.settle(call, Settlement(Outcome.FAILED, None, [], {"prompt_tokens": 0, "completion_tokens": 0}, True))
    assert await status(records, call.job_id) == ("completed", "finished")


@asynccontextmanager
async def started(records: Records, call: Call) -> AsyncIterator[tuple[Generations, Generation]]:
    """A call that ends at once, because its provider cannot be reached."""
    async with Transport() as transport:
        shelf = Shelf(total_bytes=2**28, owner_bytes=2**26, retention_s=5)
        generations = Generations(records.calls, records.groups, transport, shelf, grace_s=5)
        generation = generations.start(call, records.identity.key_id, received_ns=now_ns(), streamed=True)
        yield generations, generation


async def test_a_database_that_fails_for_a_moment(records: Records) -> None:
    """The settlement is tried again, and the call ends as it ended."""
    call = await records.calls.open(records.identity, REQUEST, JOB, streamed=True)
    records.failures = 2
    async with started(records, call) as (_, generation):
        await generation.ended.wait()
        assert generation.outcome is Outcome.FAILED
        assert generation.error is not None
        assert generation.error.code is ErrorCode.UPSTREAM_UNAVAILABLE
    assert await status(records, call.job_id) == ("failed", "failed")


async def test_a_commit_whose_answer_was_lost(records: Records) -> None:
    """The call is settled, and only its caller does not know. The second attempt finds that out and has the receipt."""
    call = await records.calls.open(records.identity, REQUEST, JOB, streamed=True)
    records.lost_answers = 1
    async with started(records, call) as (_, generation):
        await generation.ended.wait()
        assert generation.error is not None
        assert generation.error.code is ErrorCode.UPSTREAM_UNAVAILABLE
        assert generation.receipt is not None
        assert generation.receipt["call_id"] == call.call_id
    assert await status(records, call.job_id) == ("failed", "failed")


@pytest.mark.parametrize("lease_s", [60.0, -1.0])
async def test_a_database_that_fails_for_long(records: Records, monkeypatch: pytest.MonkeyPatch, lease_s: float) -> None:
    """The reader is told, and the call is settled as it ended once the database is back, unless another server was first."""
    monkeypatch.setattr("saas_api.generations.SETTLE_PATIENCE_S", 0.05)
    monkeypatch.setattr("saas_api.calls.LEASE_S", lease_s)
    call = await records.calls.open(records.identity, REQUEST, JOB, streamed=True)
    records.failures = 10**9
    async with started(records, call) as (generations, generation):
        await generation.ended.wait()
        assert generation.error is not None
        assert generation.error.code is ErrorCode.INTERNAL_ERROR
        assert await status(records, call.job_id) == ("in_progress", "streaming")
        with pytest.raises(DatabaseAway):
            await generations.settle_rest()
        records.failures = 0
        await records.calls.reap()
        await generations.settle_rest()
        await generations.settle_rest()
    assert await status(records, call.job_id) == ("failed", "failed" if lease_s > 0 else "interrupted")


async def test_a_server_that_stops_does_not_wait_for_its_database(records: Records) -> None:
    """The call is left to the next start."""
    call = await records.calls.open(records.identity, REQUEST, JOB, streamed=True)
    records.failures = 10**9
    async with started(records, call) as (generations, _):
        await until(lambda: records.failures < 10**9)
        async with asyncio.timeout(5):
            await generations.drain(0)
        assert await status(records, call.job_id) == ("in_progress", "streaming")


async def test_a_stop_settles_what_an_outage_has_left(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the database is back by then. One end that it refuses does not keep the others from being settled."""
    monkeypatch.setattr("saas_api.generations.SETTLE_PATIENCE_S", 0.0)
    calls = [await records.calls.open(records.identity, REQUEST, JOB, streamed=True) for _ in range(3)]
    records.failures = 10**9
    async with started(records, calls[0]) as (generations, _):
        for call in calls[1:]:
            generations.start(call, records.identity.key_id, received_ns=now_ns(), streamed=True)
        await until(lambda: all((found := generations.get(call.call_id)) is not None and found.ended.is_set() for call in calls))
        settle = records.calls.settle

        async def choosy(call: Call, end: Settlement) -> Any:
            if call.call_id == calls[0].call_id:
                raise RuntimeError("a mistake")
            return await settle(call, end)

        monkeypatch.setattr(records.calls, "settle", choosy)
        records.failures = 0
        await generations.drain(0)
    assert [("in_progress", "streaming"), ("failed", "failed"), ("failed", "failed")] == [
        await status(records, call.job_id) for call in calls
    ]


async def test_nobody_elses_calls_are_ended_right_after_an_outage(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their servers could not renew the leases either. They have time for it before the calls count as left."""
    monkeypatch.setattr("saas_api.generations.LEASE_S", 0.6)
    monkeypatch.setattr("saas_api.calls.LEASE_S", 0.1)
    mine, other = [await records.calls.open(records.identity, REQUEST, JOB, streamed=True) for _ in range(2)]
    async with started(records, mine) as (generations, generation):
        await generation.ended.wait()
        records.failures = 1
        keeping = asyncio.create_task(generations.keep_leases())
        await until(lambda: not records.failures)
        failed_at = asyncio.get_running_loop().time()
        await asyncio.sleep(0.4)
        assert await status(records, other.job_id) == ("in_progress", "streaming")
        async with asyncio.timeout(10):
            while await status(records, other.job_id) != ("failed", "interrupted"):  # noqa: ASYNC110  # the record has no event
                await asyncio.sleep(0.05)
        assert asyncio.get_running_loop().time() - failed_at > 1.0
        keeping.cancel()
        await asyncio.wait([keeping])


async def test_a_call_that_could_not_be_settled_is_found_later(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its reader is told; once its lease has run out it is settled as interrupted, without a restart, but never while it runs."""
    monkeypatch.setattr("saas_api.calls.LEASE_S", -1.0)
    call = await records.calls.open(records.identity, REQUEST, JOB, streamed=True)
    await records.calls.reap({call.call_id})
    assert await status(records, call.job_id) == ("in_progress", "streaming")
    await records.calls.reap()
    assert await status(records, call.job_id) == ("failed", "interrupted")


async def test_one_that_fails_does_not_take_the_others_along(records: Records) -> None:
    """In a shared transaction the caller at fault hears of it, and the others' calls are open."""
    outcomes = await asyncio.gather(
        *(records.calls.open(records.identity, REQUEST, job, streamed=True) for job in (JOB, "job_none", JOB)), return_exceptions=True
    )
    assert isinstance(outcomes[1], WireError)
    assert outcomes[1].code is ErrorCode.NOT_FOUND
    for outcome in (outcomes[0], outcomes[2]):
        assert not isinstance(outcome, BaseException)
        assert await status(records, outcome.job_id) == ("in_progress", "streaming")


@pytest.mark.parametrize(
    "usage",
    [None, [], {}, {"prompt_tokens": 1}, {"prompt_tokens": -1, "completion_tokens": 1}, {"prompt_tokens": 2**63, "completion_tokens": 1}],
)
def test_usage_that_is_none_is_estimated(usage: Any) -> None:
    """Counts that are no counts are not taken from a provider."""
    assert trusted_usage(usage) is None
    assert trusted_usage({"prompt_tokens": 1, "completion_tokens": 2, "x": 3}) == {"prompt_tokens": 1, "completion_tokens": 2, "x": 3}
    assert trusted_text({"finish": "reason"}) is None
    assert trusted_text("stop") == "stop"


def test_a_job_of_another_team_is_none() -> None:
    """A job is made for the caller's own team alone."""
    with pytest.raises(WireError):
        job_records.record(Identity("other", "key", None), JOB, job_records.JobStatus.PENDING)
