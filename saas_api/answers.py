"""What the gateway answers, as models for its OpenAPI document. Nothing is checked against them while it serves; a test does that."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from wire.errors import ErrorCode

JobState = Literal["pending", "in_progress", "completed", "failed", "cancelled"]
CallState = Literal["streaming", "finished", "cancelled", "failed", "interrupted"]


class Error(BaseModel):
    """What went wrong. `retryable` says whether the same request may succeed later; `hop` is where, for what happened to a call."""

    type: str
    code: str = Field(json_schema_extra={"enum": [code.code for code in ErrorCode if code is not ErrorCode.CSRF]})
    message: str
    retryable: bool
    request_id: str | None
    hop: str | None = None


class ErrorAnswer(BaseModel):
    """Every failure, and the data of a `failed` frame."""

    error: Error


class Health(BaseModel):
    """The server takes requests."""

    status: Literal["ok"]
    service: Literal["saas_api"]


class JobCreated(BaseModel):
    """A new job. Moments are Unix seconds."""

    job_id: str
    status: JobState
    created_at: float


class Usage(BaseModel):
    """Tokens, and what else the provider tells of them."""

    model_config = ConfigDict(extra="allow")

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class AssistantMessage(BaseModel):
    """A message of the model's, in OpenAI's form."""

    model_config = ConfigDict(extra="allow")

    role: str = "assistant"
    content: str | list[dict[str, Any]] | None = None
    tool_calls: list[dict[str, Any]] | None = None


class Choice(BaseModel):
    """The answer, and why it ended."""

    model_config = ConfigDict(extra="allow")

    index: int = 0
    message: AssistantMessage
    finish_reason: str | None = None


class Completion(BaseModel):
    """A `chat.completion` as the provider made it, in OpenAI's form."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: Usage | None = None


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
    """How a call ended and what it cost, and the data of a `receipt` frame. Dollars and credits are decimal strings, six places."""

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
    """The times of one hop, and the data of a `hop` frame: microseconds since the request arrived there, null for what never happened."""

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


class CallRecords(BaseModel):
    """What stands beside a completion."""

    receipt: Receipt
    hops: list[Hop]


class JobCompletion(Completion):
    """A `chat.completion` with its receipt and the hop's times beside it."""

    saas: CallRecords


class CallStatus(BaseModel):
    """The state a call is in."""

    job_id: str
    call_id: str
    status: CallState


class Costs(BaseModel):
    """What the settled calls of a job have used and cost."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost_usd: str


class JobCosts(BaseModel):
    """A job's state and costs."""

    job_id: str
    status: JobState
    costs: Costs


class StoredCall(BaseModel):
    """A call's record, with its answer once it has ended."""

    call_id: str
    model_group: str
    resolved_model: str
    purpose: str | None
    status: CallState
    error_code: str | None
    finish_reason: str | None
    estimated: bool
    attempts: list[Attempt]
    usage: Usage
    cost_usd: str
    message: AssistantMessage | None
    created_at: float
    finished_at: float | None


class Job(BaseModel):
    """A job, its calls, and their answers."""

    job_id: str
    team_id: str
    job_type: str
    user_id: str | None
    metadata: dict[str, Any]
    status: JobState
    error_message: str | None
    created_at: float
    finished_at: float | None
    calls: list[StoredCall]


class JobMetadata(BaseModel):
    """A job's metadata, after the merge."""

    job_id: str
    metadata: dict[str, Any]


class Model(BaseModel):
    """A model group, as OpenAI describes a model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(BaseModel):
    """Model groups, as OpenAI lists models."""

    object: Literal["list"]
    data: list[Model]
