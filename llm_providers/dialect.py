"""What a provider speaks: how a request is written and how its answer is read. A dialect is a value; it does no I/O.

Whatever the dialect, the output is OpenAI's: clean frames, each `data: {chat.completion.chunk}\\n\\n`, or a whole `chat.completion`. So
everything above knows one format, and another dialect is another module like `llm_providers.openai`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from llm_providers.errors import ProviderError

if TYPE_CHECKING:
    from llm_providers.registry import Target


@dataclass(frozen=True, slots=True)
class Request:
    """A POST request, ready to be written. The headers hold the provider's key."""

    url: str
    headers: Mapping[str, str]
    content: Mapping[str, Any]
    """What is sent as JSON."""


class FrameReader(Protocol):
    """Reads one streamed answer: bytes in, clean frames out."""

    done: bool
    """The answer has ended in order; what follows does not matter."""
    failure: ProviderError | None
    """The fault that ended the answer: no frame may follow it."""

    whole: bytearray | None
    """JSON that came in place of a stream. It is read once the body has ended (`Dialect.frames`)."""

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that these bytes complete, up to the end or the failure."""

    def end(self) -> list[bytes]:
        """The body has ended, or was cut: the frames that lack only their line ends. Like `feed`, it may set `done` and `failure`."""


class Dialect(Protocol):
    """One way of talking to models."""

    def request(self, target: Target, params: Mapping[str, Any], *, streamed: bool, usage: bool = True) -> Request:
        """The request for an answer; `params` are OpenAI's. `usage`: whether a stream is asked for its usage."""

    def reader(self) -> FrameReader:
        """A reader for one streamed answer."""

    async def whole(self, body: bytes) -> Any:
        """The body of an answer that is not streamed, read as JSON. Raises ProviderError."""

    def completion(self, answer: Any) -> dict[str, Any]:
        """A whole answer, read as JSON, as a `chat.completion`. Raises ProviderError."""

    def frames(self, answer: Any) -> list[bytes]:
        """The same answer as the frames of a stream. Raises ProviderError."""
