"""The paced frames of `demo-probe`, which show a hop doctor what a chain does to a stream.

The prompt is the script: `{"frames": 50, "gap_ms": 20, "bytes": 64}`, with `first_ms` for the first frame's delay. Each frame's
content is one line of exactly `bytes` bytes that begins with `#INDEX @SENT `. SENT is the time from the request's arrival here to the
making of the frame, in microseconds. There is no jitter, so any unevenness that a reader sees was added on the way.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from demo_llm.chunks import Chunks
from demo_llm.errors import ProviderError
from demo_llm.generation import usage_of
from demo_llm.pacing import Schedule
from demo_llm.schemas import ChatRequest
from wire.sse import DONE
from wire.timing import now_ns


class Script(BaseModel):
    """What to send: the number of frames, the gap between them in milliseconds, and the bytes of content in each."""

    model_config = ConfigDict(extra="forbid")

    frames: int = Field(50, ge=1, le=10_000)
    gap_ms: float = Field(20, ge=0, le=60_000)
    bytes: int = Field(64, ge=32, le=1024 * 1024)
    first_ms: float = Field(100, ge=0, le=60_000)


def read(prompt: str) -> Script:
    """The script in the prompt. A prompt that is not a JSON object means the defaults. Raises ProviderError if a value is out of bounds."""
    try:
        value = json.loads(prompt)
    except (ValueError, RecursionError):
        value = None
    try:
        return Script.model_validate(value if isinstance(value, dict) else {})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        message = f"The probe's script is wrong at '{first['loc'][0]}': {first['msg']}."
        raise ProviderError(400, message, param="messages", code="invalid_value") from None


class Probe:
    """One run of the script in a request."""

    def __init__(self, request: ChatRequest, start_ns: int) -> None:
        self.script = read(request.prompt)
        self.usage = usage_of(request, self.script.frames)
        self.schedule = Schedule(start_ns, self.script.first_ms, self.script.gap_ms, "", jitter=0)

    async def lines(self) -> AsyncIterator[str]:
        """The content of each frame, at its due time."""
        for index in range(self.script.frames):
            await self.schedule.wait(index)
            sent_us = (now_ns() - self.schedule.start_ns) // 1000
            yield f"#{index} @{sent_us} ".ljust(self.script.bytes - 1, ".") + "\n"

    async def frames(self, chunks: Chunks, *, include_usage: bool) -> AsyncIterator[bytes]:
        """The whole stream. The role is sent at once, so that the first paced frame is like the others."""
        yield chunks.role()
        async for line in self.lines():
            yield chunks.delta({"content": line})
        yield chunks.finish("stop")
        if include_usage:
            yield chunks.usage(self.usage)
        yield DONE

    async def completion(self, chunks: Chunks) -> dict[str, Any]:
        """All lines at once, when the last one is due."""
        content = "".join([line async for line in self.lines()])
        return chunks.completion({"role": "assistant", "content": content, "refusal": None}, "stop", self.usage)
