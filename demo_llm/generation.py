"""One answer, decided before its first token leaves: its text, its tokens, its pace, and how it ends.

Every random choice uses one seed: the request's own, or one computed from its model and messages. So the same request gets the
same words with the same jitter.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from demo_llm import answers, tokens, tools
from demo_llm.chunks import Chunks, Usage, to_json
from demo_llm.clues import pairs
from demo_llm.conversation import Conversation
from demo_llm.extraction import fill, schema_in
from demo_llm.models import Model
from demo_llm.pacing import Schedule
from demo_llm.schemas import ChatRequest
from demo_llm.wording import Wording
from wire.accumulate import Accumulator
from wire.sse import DONE

Delta = Mapping[str, Any]

_DEFAULT_TEMPERATURE = 1.0


@dataclass(frozen=True, slots=True)
class Generation:
    """What will be said, one delta per token."""

    deltas: Sequence[Delta]
    finish_reason: str
    usage: Usage
    schedule: Schedule

    def message(self) -> dict[str, Any]:
        """The deltas folded into one message."""
        folded = Accumulator()
        for delta in self.deltas:
            folded.add({"choices": [{"delta": delta}]})
        return folded.message() | {"refusal": None}

    async def frames(self, chunks: Chunks, *, include_usage: bool) -> AsyncIterator[bytes]:
        """The frames of the whole stream, each at its due time."""
        await self.schedule.wait(0)
        yield chunks.role()
        for index, delta in enumerate(self.deltas):
            await self.schedule.wait(index)
            yield chunks.delta(delta)
        yield chunks.finish(self.finish_reason)
        if include_usage:
            yield chunks.usage(self.usage)
        yield DONE

    async def completion(self, chunks: Chunks) -> dict[str, Any]:
        """The same answer as one object, when the last token is due."""
        await self.schedule.wait(max(0, len(self.deltas) - 1))
        return chunks.completion(self.message(), self.finish_reason, self.usage)


def plan(request: ChatRequest, model: Model, start_ns: int) -> Generation:
    """Decides the answer. `start_ns` is when the request arrived, on the clock of `wire.timing.now_ns`."""
    seed = _seed(request)
    deltas, reason = _decide(request, seed)
    if request.limit is not None and len(deltas) > request.limit:
        deltas, reason = deltas[: request.limit], "length"
    usage = usage_of(request, len(deltas))
    return Generation(deltas, reason, usage, Schedule(start_ns, model.first_token_ms, model.gap_ms, seed))


def usage_of(request: ChatRequest, completion: int) -> Usage:
    """The usage of an answer of `completion` tokens."""
    prompt = tokens.count_prompt([message.text for message in request.messages])
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _decide(request: ChatRequest, seed: str) -> tuple[list[Delta], str]:
    function = tools.choose(request)
    if function is not None:
        fragments = tokens.split(tools.arguments(function, request.prompt))
        return _call_deltas(f"call_{blake2b(seed.encode(), digest_size=12).hexdigest()}", function.name, fragments), "tool_calls"
    text = _json(request)
    if text is None:
        temperature = _DEFAULT_TEMPERATURE if request.temperature is None else request.temperature
        rng = random.Random(seed)  # noqa: S311 (it chooses words and must be reproducible)
        text = answers.write(Conversation(request.messages), Wording(rng, temperature))
    return [{"content": token} for token in tokens.split(_until_stop(text, request.stops))], "stop"


def _call_deltas(call_id: str, name: str, fragments: Sequence[str]) -> list[Delta]:
    """A tool call as OpenAI streams it: only the first fragment carries the id and the name."""
    first = {"index": 0, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
    rest = [{"index": 0, "function": {"arguments": fragment}} for fragment in fragments]
    return [{"tool_calls": [call]} for call in (first, *rest)]


def _json(request: ChatRequest) -> str | None:
    """The answer if the request asked for JSON, otherwise None."""
    form = request.response_format
    if form is None or form.type == "text":
        return None
    schema: Any = form.json_schema.schema_ if form.json_schema is not None else schema_in(Conversation(request.messages).instructions)
    return to_json(fill(schema, request.prompt) if schema else pairs(request.prompt)).decode()


def _until_stop(text: str, stops: Sequence[str]) -> str:
    """The text before the first stop text."""
    return text[: min((place for stop in stops if (place := text.find(stop)) >= 0), default=len(text))]


def _seed(request: ChatRequest) -> str:
    if request.seed is not None:
        return str(request.seed)
    said = to_json([request.model, [(message.role, message.text) for message in request.messages]])
    return blake2b(said, digest_size=12).hexdigest()
