"""Models of the gateway's answers, for its OpenAPI document. Answers are not checked against them at run time; a test does that."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from serving.answers import Attempt, CallState, Hop, Receipt, Usage

JobState = Literal["pending", "in_progress", "completed", "failed", "cancelled"]


class JobCreated(BaseModel):
    """A new job. Times are Unix seconds."""

    job_id: str
    status: JobState
    created_at: float


class AssistantMessage(BaseModel):
    """The model's message, in OpenAI's form."""

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


class CallRecords(BaseModel):
    """What the gateway adds to a completion."""

    receipt: Receipt
    hops: list[Hop]


class JobCompletion(Completion):
    """A `chat.completion` with its receipt and the hop's times."""

    saas: CallRecords


class CallStatus(BaseModel):
    """The state of a call."""

    job_id: str
    call_id: str
    status: CallState


class Costs(BaseModel):
    """What a job's settled calls have used and cost."""

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
    calls: list[StoredCall] = Field(description="In the order in which they began.")
    next_after: str | None = Field(description="Where there are more calls, what to send as `after` to have them.")


class JobMetadata(BaseModel):
    """A job's metadata after the merge."""

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
