"""The records that cross a hop: what a call cost, how long each part took, and which deployments were tried.

They are JSON objects, so they are typed dictionaries: a reader gets what the writer wrote, without a copy. Money is a decimal string
with six places. Durations are microseconds on the monotonic clock of the hop that reports them.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class Usage(TypedDict):
    """Token counts under OpenAI's names, with the details that a provider may add."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: NotRequired[int]
    prompt_tokens_details: NotRequired[dict[str, Any] | None]
    completion_tokens_details: NotRequired[dict[str, Any] | None]


class Attempt(TypedDict):
    """One deployment that was asked for an answer, and the outcome. Times count from the call's arrival at the gateway."""

    model: str
    """PROVIDER/MODEL."""
    outcome: str
    """finished, cancelled or failed."""
    error_code: str | None
    started_us: int
    first_token_us: int | None
    ended_us: int
    usage: Usage | None
    """The usage that the provider reported; None if it reported none."""


class Receipt(TypedDict):
    """How a call ended and what it cost: the data of a `receipt` frame."""

    job_id: str
    call_id: str
    status: str
    finish_reason: str | None
    usage: Usage
    estimated: bool
    cost_usd: str
    credits_charged: str | None
    credits_remaining: str | None
    model_group: str
    resolved_model: str
    attempts: list[Attempt]


class Dwell(TypedDict):
    """The time from a chunk's arrival at a hop to its departure, in microseconds."""

    p50: int | None
    p99: int | None
    max: int | None


class HopRecord(TypedDict):
    """The times of one hop, in microseconds since the request arrived there: the data of a `hop` frame. None means it never happened."""

    hop: str
    received_at: float
    """Unix seconds, for people to read."""
    upstream_sent_us: int | None
    upstream_headers_us: int | None
    first_in_us: int | None
    """When the first token came: the first chunk with text, reasoning, a refusal or a tool call (`wire.chunks`)."""
    first_out_us: int | None
    last_in_us: int | None
    last_out_us: int | None
    frames: int
    bytes: int
    reads: int
    dwell_us: Dwell
    arrivals_us: list[int]
    """When the first 2,048 chunks arrived."""
    resumed: NotRequired[bool]
    """The hop's server was restarted in mid-answer and saw only what came after the restart."""


class ErrorRecord(TypedDict):
    """What went wrong, as error responses and `failed` frames describe it."""

    type: str
    code: str
    message: str
    retryable: bool
    request_id: str | None
    hop: NotRequired[str]
