"""Models for the OpenAPI documents of what more than one server answers: errors, receipts, the times of a hop.

A running server checks nothing against them; the tests do.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from wire.errors import ErrorCode

CallState = Literal["streaming", "finished", "cancelled", "failed", "interrupted"]


class Error(BaseModel):
    """What went wrong. `retryable` says whether the same request may succeed later; `hop` says where, if it happened to a call."""

    type: str
    code: str = Field(json_schema_extra={"enum": [code.code for code in ErrorCode]})
    message: str
    retryable: bool
    request_id: str | None
    hop: str | None = None


class ErrorAnswer(BaseModel):
    """The answer to every failed request, and the data of a `failed` frame."""

    error: Error


class Health(BaseModel):
    """The server takes requests."""

    status: Literal["ok"]
    service: str


class Usage(BaseModel):
    """Tokens, and whatever else the provider says about them."""

    model_config = ConfigDict(extra="allow")

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Attempt(BaseModel):
    """One deployment that was asked, and what came of it. Times are microseconds since the call arrived."""

    model: str
    outcome: Literal["finished", "cancelled", "failed"]
    error_code: str | None
    started_us: int
    first_token_us: int | None
    ended_us: int
    usage: Usage | None = Field(description="What the provider said it used.")


class Receipt(BaseModel):
    """How a call ended and what it cost; also the data of a `receipt` frame. Dollars and credits are decimal strings, six places."""

    job_id: str
    call_id: str
    status: CallState
    finish_reason: str | None
    usage: Usage
    estimated: bool = Field(description="Whether the usage is an estimate of ours, because the provider gave none.")
    cost_usd: str
    credits_charged: str | None
    credits_remaining: str | None
    model_group: str
    resolved_model: str
    attempts: list[Attempt]


class Dwell(BaseModel):
    """Microseconds from a chunk's arrival to its departure."""

    p50: int | None
    p99: int | None
    max: int | None


class Hop(BaseModel):
    """The times of one hop; also the data of a `hop` frame. Microseconds since the request arrived there, null for what never happened."""

    hop: str
    received_at: float = Field(description="Unix seconds, for display only.")
    upstream_sent_us: int | None
    upstream_headers_us: int | None
    first_in_us: int | None
    first_out_us: int | None
    last_in_us: int | None
    last_out_us: int | None
    frames: int
    bytes: int
    reads: int
    dwell_us: Dwell
    arrivals_us: list[int] = Field(description="The first 2,048 arrivals.")
    resumed: bool | None = None
