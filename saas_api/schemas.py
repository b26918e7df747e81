"""The requests that clients send. OpenAI's parameters that are not named here are passed on as they are."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, NotRequired

from pydantic import AliasChoices, BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

Metadata = Annotated[dict[str, Any], Field(max_length=64)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class Message(TypedDict):
    """One message of the conversation, in OpenAI's form. Content may be text or a list of parts."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]  # where pydantic looks for it

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: NotRequired[str | list[dict[str, Any]] | None]


def _either_name(schema: dict[str, Any]) -> None:
    """Documents that the model group may have either of its two names."""
    properties, names = schema["properties"], ("model_group", "model")
    named = next(properties[name] for name in names if name in properties)
    schema["properties"] = {name: named | {"title": name} for name in names} | properties
    schema["required"] = [name for name in schema["required"] if name not in names]
    schema["anyOf"] = [{"required": [name]} for name in names]


class ChatRequest(BaseModel):
    """What every request for a chat completion holds. `OURS` are the fields that do not go to the provider."""

    model_config = ConfigDict(extra="allow", populate_by_name=True, json_schema_extra=_either_name)
    OURS: ClassVar[frozenset[str]] = frozenset({"model_group", "stream"})

    model_group: Name = Field(validation_alias=AliasChoices("model_group", "model"))
    messages: Annotated[list[Message], Field(min_length=1, max_length=10_000)]
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    n: Literal[1] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: str | Annotated[list[str], Field(max_length=16)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    response_format: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    seed: int | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    user: str | None = None
    reasoning_effort: str | None = None
    stream_options: dict[str, Any] | None = None

    def params(self) -> dict[str, Any]:
        """Returns what goes to the provider: everything that was sent, except our own fields."""
        sent = {name: value for name, value in self.__dict__.items() if name in self.model_fields_set} | (self.model_extra or {})
        return {name: value for name, value in sent.items() if name not in self.OURS}  # (`model_dump` would copy all of it)


class CallRequest(ChatRequest):
    """A chat completion. OpenAI calls `model_group` `model`; both names are accepted."""

    OURS = ChatRequest.OURS | {"purpose", "team_id", "job_type", "user_id"}

    purpose: Name | None = None


class CompletionRequest(ChatRequest):
    """OpenAI's own request: `model` holds the model group, and `stream` chooses the form of the answer. All else is for the provider."""

    model_group: Name = Field(validation_alias=AliasChoices("model", "model_group"))
    stream: bool | None = None


class JobRequest(BaseModel):
    """A new job."""

    team_id: Name
    job_type: Name
    user_id: Name | None = None
    metadata: Metadata = {}


class JobCallRequest(JobRequest, CallRequest):
    """A job and its one call. The `metadata` is the job's."""

    OURS = CallRequest.OURS | {"metadata"}


class CompleteRequest(BaseModel):
    """How a job ends."""

    status: Literal["completed", "failed"]
    metadata: Metadata = {}
    error_message: Annotated[str, Field(max_length=10_000)] | None = None


class MetadataRequest(BaseModel):
    """Metadata to merge into a job's; null removes a key."""

    metadata: Metadata
