"""Calls: one request to a model, from opening it in the database to settling it.

    streaming → finished | cancelled | failed | interrupted

A call is opened in one transaction before the first byte and settled in one transaction after the last. It is settled once, because
the UPDATE requires the state `streaming`. While a call runs, the server renews its lease and saves its token count. If the lease runs
out, the call's server is gone, and the call is settled from that count as `interrupted`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update
from sqlalchemy.exc import IntegrityError

from saas_api import jobs as job_records
from saas_api.auth import Identity
from saas_api.jobs import STREAMING, JobStatus, new_id
from saas_api.model_groups import Deployment, ModelGroups
from saas_api.money import usd
from saas_api.schemas import CallRequest, ChatRequest, JobRequest
from saas_api.store.tables import calls, jobs
from saas_api.usage import estimate_prompt_tokens
from storage.database import Database
from storage.prepared import Prepared
from wire.errors import ErrorCode, WireError
from wire.log import Outcome
from wire.records import Attempt, Receipt, Usage

logger = logging.getLogger(__name__)

LEASE_S = 10.0

_RUNNING = update(calls).where(calls.c.call_id == bindparam("of"), calls.c.status == STREAMING)
_INSERT = Prepared(calls.insert())
_SETTLE = Prepared(
    _RUNNING.values(
        {
            column: bindparam(column.name)
            for column in (
                calls.c.status,
                calls.c.error_code,
                calls.c.finish_reason,
                calls.c.prompt_tokens,
                calls.c.completion_tokens,
                calls.c.estimated,
                calls.c.cost_micro_usd,
                calls.c.resolved_model,
                calls.c.attempts,
                calls.c.message,
                calls.c.finished_at,
            )
        }
    )
)
_RENEW = Prepared(_RUNNING.values({name: bindparam(f"new_{name}") for name in ("lease_until", "completion_tokens", "resolved_model")}))


@dataclass(frozen=True, slots=True)
class Call:
    """An open call. If `owns_job`, its job was made for this call alone and ends with it."""

    call_id: str
    job_id: str
    team_id: str
    model_group: str
    params: Mapping[str, Any]
    prompt_estimate: int
    owns_job: bool


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a call ended, which attempts it took, and what it used.

    `deployment` gave the answer; it is None if none was asked. `estimated` means that the usage is not the provider's own count.
    """

    outcome: Outcome
    deployment: Deployment | None
    attempts: Sequence[Attempt]
    usage: Usage
    estimated: bool
    finish_reason: str | None = None
    message: Mapping[str, Any] | None = None
    error: WireError | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a running call has come: the tokens so far, and the model that generates them."""

    call_id: str
    tokens: int
    model: str


class AlreadyStarted(Exception):
    """The idempotency key belongs to an earlier call."""

    def __init__(self, job_id: str, call_id: str) -> None:
        super().__init__(call_id)
        self.job_id = job_id
        self.call_id = call_id


class AlreadySettled(Exception):
    """The call's lease ran out, and it was settled as interrupted."""


class Calls:
    """The records of calls, and the only writer of them."""

    def __init__(self, database: Database, model_groups: ModelGroups) -> None:
        self._database = database
        self._model_groups = model_groups

    async def open(
        self, identity: Identity, request: ChatRequest, job: JobRequest | str, *, streamed: bool, idempotency_key: str | None = None
    ) -> Call:
        """Records a call of an existing job (its id), or of a new one made for it, before any provider is asked.

        Raises WireError (NOT_FOUND, MODEL_NOT_ALLOWED, JOB_FINISHED) and AlreadyStarted.
        """
        group = request.model_group
        first = self._model_groups.choose(group)
        if not identity.may_use(group):
            raise WireError(ErrorCode.MODEL_NOT_ALLOWED, f"This team may not use the model group {group!r}.")
        params = request.params()
        estimate = estimate_prompt_tokens(params)
        now = time.time()
        owns_job = not isinstance(job, str)
        own = None if isinstance(job, str) else job_records.record(identity, job, JobStatus.IN_PROGRESS, idempotency_key)
        record: dict[str, Any] = {
            "call_id": new_id("call"),
            "job_id": job if own is None else own["job_id"],
            "key_id": identity.key_id,
            "model_group": group,
            "resolved_model": first.model if first else "",
            "purpose": request.purpose if isinstance(request, CallRequest) else None,
            "streamed": streamed,
            "owns_job": owns_job,
            "status": STREAMING,
            "prompt_tokens": estimate,
            "completion_tokens": 0,
            "estimated": True,
            "cost_micro_usd": 0,
            "attempts": [],
            "created_at": now,
            "lease_until": now + LEASE_S,
        }

        def open_in(connection: Connection) -> None:
            if own is None:
                job_records.begin_call(connection, identity, record["job_id"])
            else:
                job_records.INSERT.execute(connection, own)
            _INSERT.execute(connection, record)

        try:
            await self._database.write(open_in)
        except IntegrityError:
            if idempotency_key is None:
                raise
            raise await self._started_before(identity, idempotency_key) from None
        return Call(record["call_id"], record["job_id"], identity.team_id, group, params, estimate, owns_job)

    async def settle(self, call: Call, end: Settlement) -> Receipt:
        """Records the end of a call, once, and returns its receipt. Raises AlreadySettled if it has been settled already."""
        cost = end.deployment.price.cost_micro_usd(end.usage) if end.deployment else 0
        model = end.deployment.model if end.deployment else ""
        prompt, completion = end.usage["prompt_tokens"], end.usage["completion_tokens"]
        ended = {
            "of": call.call_id,
            "status": end.outcome.value,
            "error_code": end.error.code.code if end.error else None,
            "finish_reason": end.finish_reason,
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "estimated": end.estimated,
            "cost_micro_usd": cost,
            "resolved_model": model,
            "attempts": end.attempts,
            "message": end.message,
            "finished_at": time.time(),
        }

        def settle_in(connection: Connection) -> bool:
            if not _SETTLE.execute(connection, ended):
                status = connection.execute(select(calls.c.status).where(calls.c.call_id == call.call_id)).scalar_one_or_none()
                return status == end.outcome.value != Outcome.INTERRUPTED.value  # a commit whose answer was lost
            if call.owns_job:
                job_records.end_with_call(connection, call.job_id, end.outcome, end.error.message if end.error else None)
            return True

        if not await self._database.write(settle_in):
            raise AlreadySettled(call.call_id)
        return {
            "job_id": call.job_id,
            "call_id": call.call_id,
            "status": end.outcome.value,
            "finish_reason": end.finish_reason,
            "usage": {**end.usage, "total_tokens": prompt + completion},
            "estimated": end.estimated,
            "cost_usd": usd(cost),
            "credits_charged": None,
            "credits_remaining": None,
            "model_group": call.model_group,
            "resolved_model": model,
            "attempts": list(end.attempts),
        }

    async def renew(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Renews the leases of running calls, and saves how far each has come."""
        if not checkpoints:
            return
        until = time.time() + LEASE_S
        rows = [
            {"of": one.call_id, "new_lease_until": until, "new_completion_tokens": one.tokens, "new_resolved_model": one.model}
            for one in checkpoints
        ]
        await self._database.write(lambda connection: _RENEW.execute(connection, *rows))

    async def reap(self, running: Collection[str] = (), *, at_start: bool = False) -> None:
        """Settles calls whose server died as interrupted, from their last checkpoint. `running` are this server's own calls.

        A dead server's leases have run out. An embedded database serves one process, so a call that is streaming when the process
        starts is dead too, however fresh its lease.
        """
        query = select(calls).where(calls.c.status == STREAMING)
        if not (at_start and self._database.embedded):
            query = query.where(calls.c.lease_until < time.time())
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        for row in rows:
            if row.call_id not in running and await self._database.write(partial(self._interrupt, row)):
                logger.warning("the call %s lost its server and was settled as interrupted", row.call_id)

    def _interrupt(self, row: Row[Any], connection: Connection) -> bool:
        usage = {"prompt_tokens": row.prompt_tokens, "completion_tokens": row.completion_tokens}
        cost = self._model_groups.price(row.resolved_model).cost_micro_usd(usage)
        moved = connection.execute(
            update(calls)
            .where(calls.c.call_id == row.call_id, calls.c.status == STREAMING, calls.c.lease_until == row.lease_until)
            .values(status=Outcome.INTERRUPTED.value, error_code=ErrorCode.INTERRUPTED.code, cost_micro_usd=cost, finished_at=time.time())
        )
        if moved.rowcount and row.owns_job:
            job_records.end_with_call(connection, row.job_id, Outcome.INTERRUPTED, "The server that ran the call died.")
        return bool(moved.rowcount)

    async def find(self, identity: Identity, job_id: str, call_id: str) -> Row[Any]:
        """Returns the call's record. Raises WireError NOT_FOUND, also for another team's call."""
        query = select(calls).join(jobs, jobs.c.job_id == calls.c.job_id)
        query = query.where(calls.c.call_id == call_id, calls.c.job_id == job_id, jobs.c.team_id == identity.team_id)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise WireError(ErrorCode.NOT_FOUND, "There is no such call.")
        return row

    async def _started_before(self, identity: Identity, idempotency_key: str) -> AlreadyStarted:
        query = select(calls.c.job_id, calls.c.call_id).join(jobs, jobs.c.job_id == calls.c.job_id)
        query = query.where(jobs.c.team_id == identity.team_id, jobs.c.idempotency_key == idempotency_key)
        row = await self._database.read(lambda connection: connection.execute(query).one())
        return AlreadyStarted(row.job_id, row.call_id)


def stream_expired(job_id: str, root_path: str) -> WireError:
    """The error for a stream whose call has ended and whose log is gone."""
    address = f"{root_path}/api/jobs/{job_id}"
    return WireError(ErrorCode.STREAM_EXPIRED, f"This stream can be resumed no longer; its answer is stored at {address}.")
