"""Requests to the gateway: one function per thing it does, from arguments to a request. Nothing here does I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any
from urllib.parse import quote

Messages = Sequence[Mapping[str, Any]]


class Patience(Enum):
    """How long the gateway may be silent before its answer begins. The client turns it into seconds."""

    SHORT = auto()  # it has nothing to wait for
    LONG = auto()  # a whole answer: it says nothing until that is complete
    ENDLESS = auto()  # a stream, which has rules of its own


@dataclass(frozen=True, slots=True)
class Request:
    """A request, ready to be sent."""

    method: str
    path: str
    content: Mapping[str, Any] | None = None
    """What is sent as JSON, if anything."""
    headers: Mapping[str, str] = field(default_factory=dict)
    patience: Patience = Patience.SHORT


@dataclass(frozen=True, slots=True)
class Job:
    """What a job is made of."""

    team_id: str
    job_type: str
    user_id: str | None = None
    metadata: Mapping[str, Any] | None = None

    def fields(self) -> dict[str, Any]:
        """The fields of a request that makes the job."""
        return {"team_id": self.team_id, "job_type": self.job_type} | _given(user_id=self.user_id, metadata=self.metadata)


def create_job(job: Job) -> Request:
    """Opens a job."""
    return _post("/api/jobs/create", job.fields())


def complete_job(job_id: str, status: str, metadata: Mapping[str, Any] | None, error_message: str | None) -> Request:
    """Ends a job as `completed` or `failed`."""
    return _post(f"{_job(job_id)}/complete", _given(status=status, metadata=metadata, error_message=error_message))


def get_job(job_id: str) -> Request:
    """The job's record."""
    return Request("GET", _job(job_id))


def chat(
    job: Job, model_group: str, messages: Messages, params: Mapping[str, Any], idempotency_key: str | None, *, streamed: bool
) -> Request:
    """One call's whole life. With the same `idempotency_key` a second request leads to the first one's call."""
    body = dict(params) | job.fields() | {"model_group": model_group, "messages": messages}
    headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
    path = "/api/jobs/create-and-call-stream" if streamed else "/api/jobs/create-and-call"
    return Request("POST", path, body, headers, Patience.ENDLESS if streamed else Patience.LONG)


def resume_stream(job_id: str, call_id: str, last_event_id: int | None) -> Request:
    """The frames of a call after the one with this id, or all of them."""
    headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
    return Request("GET", f"{_call(job_id, call_id)}/stream", headers=headers, patience=Patience.ENDLESS)


def cancel(job_id: str, call_id: str) -> Request:
    """Stops the provider now."""
    return Request("POST", f"{_call(job_id, call_id)}/cancel")


def models() -> Request:
    """The model groups that the team may use, as OpenAI lists models."""
    return Request("GET", "/v1/models")


def _post(path: str, body: Mapping[str, Any]) -> Request:
    return Request("POST", path, body)


def _job(job_id: str) -> str:
    return f"/api/jobs/{quote(job_id, safe='')}"


def _call(job_id: str, call_id: str) -> str:
    return f"{_job(job_id)}/calls/{quote(call_id, safe='')}"


def _given(**fields: Any) -> dict[str, Any]:
    """The fields that were given. The gateway has defaults for the others."""
    return {name: value for name, value in fields.items() if value is not None}
