"""Models of requests: the page's form, and the JSON of programs and of the page's script."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from starlette.requests import Request
from typing_extensions import TypedDict

from client_server.forms import form_fields
from client_server.model_groups import DEFAULT
from serving.errors import invalid

MAX_MESSAGE_CHARACTERS = 100_000
DEFAULT_TEMPERATURE = 0.7

Model = TypeVar("Model", bound=BaseModel)

_OURS = {"stream", "stream_options", "team_id", "job_type", "job_id", "user_id", "metadata", "idempotency_key", "purpose"}
"""Fields that this server sets itself. Those of a caller are not passed on."""


def _not_blank(value: Any) -> Any:
    if isinstance(value, str) and len(value) <= MAX_MESSAGE_CHARACTERS and not value.strip():
        raise ValueError("it must not be empty")
    return value


Text = Annotated[str, Field(max_length=MAX_MESSAGE_CHARACTERS), BeforeValidator(_not_blank)]
GroupName = Annotated[str, Field(min_length=1, max_length=100)]
Temperature = Annotated[float, Field(ge=0, le=2)]
Microseconds = Annotated[int, Field(ge=0, le=2**53)]


class MessageForm(BaseModel):
    """The page's form."""

    message: Text
    conversation_id: Annotated[str, Field(max_length=64)] = ""
    """Empty for a new conversation."""
    stream: Annotated[bool, BeforeValidator(lambda value: value == "on")] = False
    model_group: GroupName = DEFAULT
    temperature: Temperature = DEFAULT_TEMPERATURE


class Message(TypedDict):
    """A message of a conversation, in OpenAI's format. Only its role is checked here."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]  # where pydantic looks for it

    role: Annotated[str, Field(min_length=1, max_length=40)]


def _noted(part: Any) -> str:
    """Returns what the record says of a message's content, or of one part of it."""
    text = part.get("text") if isinstance(part, dict) else part
    if isinstance(text, str):
        return text[:MAX_MESSAGE_CHARACTERS]
    kind = part.get("type") if isinstance(part, dict) else None
    return f"[{kind[:40]}]" if isinstance(kind, str) else ""


def _either_name(schema: dict[str, Any]) -> None:
    """Documents what the fields alone do not show: the group's other name, and that there is one message or several."""
    schema["properties"] = schema["properties"] | {"model": schema["properties"]["model_group"] | {"title": "Model"}}
    schema["oneOf"] = [{"required": ["message"]}, {"required": ["messages"]}]


class ChatBody(BaseModel):
    """A question: one `message` or several `messages`, and any of OpenAI's parameters, which are passed on."""

    model_config = ConfigDict(extra="allow", protected_namespaces=(), json_schema_extra=_either_name)

    message: Text | None = None
    messages: Annotated[list[Message], Field(min_length=1, max_length=10_000)] | None = None
    model_group: Annotated[GroupName, Field(validation_alias=AliasChoices("model_group", "model"))] = DEFAULT
    temperature: Temperature | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> ChatBody:
        if (self.message is None) == (self.messages is None):
            raise ValueError("give either message or messages")
        return self

    @property
    def conversation(self) -> list[dict[str, Any]]:
        """Returns the messages to send."""
        if self.messages is None:
            return [{"role": "user", "content": self.message}]
        return cast("list[dict[str, Any]]", self.messages)

    @property
    def asked(self) -> str:
        """Returns the person's last message as text, for the record. Of a part that is no text, such as a photograph, it names the type."""
        if self.message is not None:
            return self.message
        asked = [message.get("content") for message in self.conversation if message["role"] == "user"]
        content = asked[-1] if asked else None
        parts = content if isinstance(content, list) else [content]
        return "\n".join(filter(None, map(_noted, parts)))[:MAX_MESSAGE_CHARACTERS]

    @property
    def parameters(self) -> dict[str, Any]:
        """Returns OpenAI's parameters, to be passed on as they are."""
        extra = {name: value for name, value in (self.model_extra or {}).items() if name not in _OURS}
        return extra if self.temperature is None else extra | {"temperature": self.temperature}


class BrowserDwell(BaseModel):
    """How long chunks stayed, from arrival to display."""

    p50: Microseconds | None = None
    p99: Microseconds | None = None
    max: Microseconds | None = None


class BrowserHop(BaseModel):
    """The browser's own hop record."""

    hop: Literal["browser"]
    received_at: Annotated[float, Field(ge=0, le=2**40)]
    upstream_sent_us: Microseconds | None = None
    upstream_headers_us: Microseconds | None = None
    first_in_us: Microseconds | None = None
    first_out_us: Microseconds | None = None
    last_in_us: Microseconds | None = None
    last_out_us: Microseconds | None = None
    frames: Microseconds = 0
    bytes: Microseconds = 0
    reads: Microseconds = 0
    dwell_us: BrowserDwell = BrowserDwell()
    arrivals_us: Annotated[list[Microseconds], Field(max_length=2048)] = []


async def form_body(request: Request, model: type[Model]) -> Model:
    """Returns the request's form as this model. Raises WireError INVALID_REQUEST."""
    fields = await form_fields(request)
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise invalid(error.errors(include_url=False, include_input=False, include_context=False)) from None
