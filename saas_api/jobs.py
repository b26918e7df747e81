"""Jobs: each groups the calls made for one purpose, and moves through a few states.

    pending → in_progress → completed | failed | cancelled

Each move is one conditional UPDATE: if two requests move a job at once, only one succeeds. The last three states are final.
"""

from __future__ import annotations

import secrets
import time
from enum import StrEnum
from typing import Any

import orjson
from sqlalchemy import Connection, Row, bindparam, func, or_, select, tuple_, update

from hop.pieces import is_longer
from saas_api.auth import Identity
from saas_api.money import usd
from saas_api.schemas import JobRequest
from saas_api.store.tables import calls, jobs
from storage.database import Database
from storage.prepared import Prepared
from wire.errors import ErrorCode, WireError
from wire.log import Outcome


class JobStatus(StrEnum):
    """A job's states."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


MAX_METADATA_BYTES = 64 * 1024
"""How long a job's metadata may be, as the JSON that is stored: it is read and written whole."""
CALLS_AT_ONCE = 100
"""The most calls that one answer lists."""

OPEN = (JobStatus.PENDING, JobStatus.IN_PROGRESS)
STREAMING = "streaming"
_AFTER_CALL = {Outcome.FINISHED: JobStatus.COMPLETED, Outcome.CANCELLED: JobStatus.CANCELLED}

_IS_OPEN = or_(*(jobs.c.status == status for status in OPEN))  # a prepared statement holds no IN

INSERT = Prepared(jobs.insert())
_BEGIN_CALL = Prepared(
    update(jobs).where(jobs.c.job_id == bindparam("of"), jobs.c.team_id == bindparam("team"), _IS_OPEN).values(status=JobStatus.IN_PROGRESS)
)
_END = Prepared(
    update(jobs)
    .where(jobs.c.job_id == bindparam("of"), _IS_OPEN)
    .values(status=bindparam("status"), error_message=bindparam("error_message"), finished_at=bindparam("finished_at"))
)


def new_id(kind: str) -> str:
    """Returns a new identifier that shows its kind and cannot be guessed."""
    return f"{kind}_{secrets.token_hex(12)}"


class Jobs:
    """The records of jobs. Every method sees only the caller's team: another team's job does not exist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, identity: Identity, request: JobRequest) -> dict[str, Any]:
        """Creates a job, pending. Raises WireError NOT_FOUND for another team."""
        job = record(identity, request, JobStatus.PENDING)
        await self._database.write(lambda connection: INSERT.execute(connection, job))
        return {name: job[name] for name in ("job_id", "status", "created_at")}

    async def get(self, identity: Identity, job_id: str, limit: int = CALLS_AT_ONCE, after: str | None = None) -> dict[str, Any]:
        """Returns the job with up to `limit` of its calls and their answers, those behind `after`; `next_after` if there are more."""

        def get_in(connection: Connection) -> dict[str, Any]:
            job = _own(connection, identity, job_id)
            query = select(calls).where(calls.c.job_id == job_id)
            if after is not None:
                last = connection.execute(query.where(calls.c.call_id == after)).one_or_none()
                if last is None:
                    raise WireError(ErrorCode.INVALID_REQUEST, "after: it must be the id of a call of this job.")
                query = query.where(tuple_(calls.c.created_at, calls.c.call_id) > (last.created_at, last.call_id))
            rows = connection.execute(query.order_by(calls.c.created_at, calls.c.call_id).limit(limit + 1)).all()
            shown = [_call_view(row) for row in rows[:limit]]
            return _job_view(job) | {"calls": shown, "next_after": shown[-1]["call_id"] if len(rows) > limit else None}

        return await self._database.read(get_in)

    async def costs(self, identity: Identity, job_id: str) -> dict[str, Any]:
        """Returns what the job's settled calls have used and cost."""
        return await self._database.read(lambda connection: _costs(connection, _own(connection, identity, job_id)))

    async def complete(
        self, identity: Identity, job_id: str, status: JobStatus, metadata: dict[str, Any], error_message: str | None
    ) -> dict[str, Any]:
        """Ends the job and returns its costs. Ending it again in the same way gives the same answer; in another way, JOB_FINISHED.

        Raises WireError JOB_STATE while a call of the job runs.
        """

        def complete_in(connection: Connection) -> dict[str, Any]:
            job = _own(connection, identity, job_id)
            running = select(calls.c.call_id).where(calls.c.job_id == job_id, calls.c.status == STREAMING)
            if job.status in OPEN and connection.execute(running.limit(1)).one_or_none() is not None:
                raise WireError(ErrorCode.JOB_STATE, "A call of this job is still running; cancel it or wait for its end.")
            connection.execute(
                update(jobs)
                .where(jobs.c.job_id == job_id, _IS_OPEN)
                .values(status=status, error_message=error_message, finished_at=time.time(), metadata=_merged(job.metadata, metadata))
            )
            job = _own(connection, identity, job_id)
            if job.status != status:
                raise WireError(ErrorCode.JOB_FINISHED, f"The job has already ended as {job.status}.")
            return _costs(connection, job)

        return await self._database.write(complete_in)

    async def merge_metadata(self, identity: Identity, job_id: str, metadata: dict[str, Any]) -> dict[str, Any]:
        """Merges into the job's metadata; null removes a key. Raises WireError TOO_LARGE; the metadata then stays as it was."""

        def merge_in(connection: Connection) -> dict[str, Any]:
            merged = _merged(_own(connection, identity, job_id).metadata, metadata)
            connection.execute(update(jobs).where(jobs.c.job_id == job_id).values(metadata=merged))
            return {"job_id": job_id, "metadata": merged}

        return await self._database.write(merge_in)


def _own(connection: Connection, identity: Identity, job_id: str) -> Row[Any]:
    job = connection.execute(select(jobs).where(jobs.c.job_id == job_id)).one_or_none()
    if job is None or job.team_id != identity.team_id:
        raise not_found()
    return job


def _costs(connection: Connection, job: Row[Any]) -> dict[str, Any]:
    settled = select(
        func.count(),
        func.coalesce(func.sum(calls.c.prompt_tokens), 0),
        func.coalesce(func.sum(calls.c.completion_tokens), 0),
        func.coalesce(func.sum(calls.c.cost_micro_usd), 0),
    ).where(calls.c.job_id == job.job_id, calls.c.status != STREAMING)
    count, prompt, completion, cost = map(int, connection.execute(settled).one())  # PostgreSQL sums integers as numeric
    return {
        "job_id": job.job_id,
        "status": job.status,
        "costs": {
            "calls": count,
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "cost_usd": usd(cost),
        },
    }


def record(identity: Identity, request: JobRequest, status: JobStatus, idempotency_key: str | None = None) -> dict[str, Any]:
    """Returns a new job's row. Its INSERT fails if the team has used the idempotency key. Raises WireError NOT_FOUND, TOO_LARGE."""
    if request.team_id != identity.team_id:
        raise WireError(ErrorCode.NOT_FOUND, "There is no such team.")
    return {
        "job_id": new_id("job"),
        "team_id": identity.team_id,
        "job_type": request.job_type,
        "user_id": request.user_id,
        "metadata": _bounded(request.metadata),
        "status": status,
        "idempotency_key": idempotency_key,
        "created_at": time.time(),
    }


def begin_call(connection: Connection, identity: Identity, job_id: str) -> None:
    """Moves a job to in_progress for a call. Raises WireError NOT_FOUND or JOB_FINISHED."""
    if not _BEGIN_CALL.execute(connection, {"of": job_id, "team": identity.team_id}):
        own = select(jobs.c.status).where(jobs.c.job_id == job_id, jobs.c.team_id == identity.team_id)
        status = connection.execute(own).scalar_one_or_none()
        if status is None:
            raise not_found()
        raise WireError(ErrorCode.JOB_FINISHED, f"The job has ended as {status}; it takes no more calls.")


def end_with_call(connection: Connection, job_id: str, outcome: Outcome, error_message: str | None) -> None:
    """Ends a job that was made for one call in the way the call ended."""
    status = _AFTER_CALL.get(outcome, JobStatus.FAILED)
    _END.execute(connection, {"of": job_id, "status": status, "error_message": error_message, "finished_at": time.time()})


def not_found() -> WireError:
    """The error for something that does not exist or is another team's."""
    return WireError(ErrorCode.NOT_FOUND, "There is no such job.")


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return _bounded({name: value for name, value in (old | new).items() if value is not None})


def _bounded(metadata: dict[str, Any]) -> dict[str, Any]:
    if is_longer(metadata, 8 * MAX_METADATA_BYTES):  # characters of texts, and 8 for everything else: without writing all of it
        raise WireError(ErrorCode.TOO_LARGE, f"metadata: a job keeps at most {MAX_METADATA_BYTES} bytes of JSON; this would be far more.")
    size = len(orjson.dumps(metadata)) if metadata else 0
    if size > MAX_METADATA_BYTES:
        raise WireError(ErrorCode.TOO_LARGE, f"metadata: a job keeps at most {MAX_METADATA_BYTES} bytes of JSON; this would be {size}.")
    return metadata


def _job_view(job: Row[Any]) -> dict[str, Any]:
    names = ("job_id", "team_id", "job_type", "user_id", "metadata", "status", "error_message", "created_at", "finished_at")
    return {name: job._mapping[name] for name in names}


def _call_view(call: Row[Any]) -> dict[str, Any]:
    names = ("call_id", "model_group", "resolved_model", "purpose", "status", "error_code", "finish_reason", "estimated", "attempts")
    view = {name: call._mapping[name] for name in names}
    usage = {"prompt_tokens": call.prompt_tokens, "completion_tokens": call.completion_tokens}
    view |= {"usage": usage | {"total_tokens": sum(usage.values())}, "cost_usd": usd(call.cost_micro_usd), "message": call.message}
    return view | {"created_at": call.created_at, "finished_at": call.finished_at}
