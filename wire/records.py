"""The records that cross a hop: what a call cost, how long each part of it took, what was tried on the way.

They are JSON objects, so they are typed dictionaries: a reader gets what the writer wrote, without a copy. Money is a decimal string
with six places, durations are microseconds on the monotonic clock of the hop that tells them.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class Usage(TypedDict):
    """Tokens, by OpenAI's names, and what else a provider tells of them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: NotRequired[int]
    prompt_tokens_details: NotRequired[dict[str, Any] | None]
    completion_tokens_details: NotRequired[dict[str, Any] | None]


class Attempt(TypedDict):
    """One deployment that was asked for an answer, and what came of it. Times count from the call's arrival at the gateway."""

    model: str
    """PROVIDER/MODEL."""
    outcome: str
    """finished, cancelled or failed."""
    error_code: str | None
    started_us: int
    first_token_us: int | None
    ended_us: int
    usage: Usage | None
    """What the provider said it used; None where it said nothing."""


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
    """From a chunk's arrival at a hop to its departure, in microseconds."""

    p50: int | None
    p99: int | None
    max: int | None


class HopRecord(TypedDict):
    """The times of one hop, in microseconds since the request arrived there: the data of a `hop` frame. None never happened."""

    hop: str
    received_at: float
    """Unix seconds, for people to read."""
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
    arrivals_us: list[int]
    """The first 2,048 arrivals of chunks."""
    resumed: NotRequired[bool]
    """The hop's server was restarted in mid-answer and saw only what came after that."""


class ErrorRecord(TypedDict):
    """What went wrong, as an error's envelope and a `failed` frame tell it."""

    type: str
    code: str
    message: str
    retryable: bool
    request_id: str | None
    hop: NotRequired[str]
