"""Folds a stream of `chat.completion.chunk` objects into one answer. It is pure: no I/O, no clock.

The format is OpenAI's (https://platform.openai.com/docs/api-reference/chat-streaming). The variants that its imitators send are
accepted too: `null` for an absent field, `reasoning` for `reasoning_content`, chunks without choices, and usage on any chunk. A tool
call may send its id and name once and carry nulls in the later fragments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_OBJECT = (dict, Mapping)
"""The types of a JSON object. `dict` comes first, since checking the abstract class costs more than the rest of a chunk."""


@dataclass(slots=True)
class ToolCall:
    """One tool call. `arguments` is the raw text of its fragments joined. It is JSON only if the model wrote JSON."""

    id: str | None = None
    name: str = ""
    fragments: list[str] = field(default_factory=list)

    @property
    def arguments(self) -> str:
        return _joined(self.fragments)

    def to_dict(self) -> dict[str, Any]:
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}}


class Accumulator:
    """Collects the first choice of a stream: content, reasoning, refusal, tool calls by index, finish reason and usage."""

    def __init__(self) -> None:
        self.finish_reason: str | None = None
        self.usage: dict[str, Any] | None = None
        self.tool_calls: dict[int, ToolCall] = {}
        self.id: str | None = None
        self.model: str | None = None
        self.created: int | None = None
        self.deltas = 0
        """How many chunks carried something the model generated."""
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self._places: dict[int, int] = {}  # maps a position in a chunk's list to the index of the last call there

    @property
    def content(self) -> str:
        """The answer's text so far."""
        return _joined(self._content)

    @property
    def reasoning(self) -> str:
        """The reasoning text so far, if the model shows it."""
        return _joined(self._reasoning)

    @property
    def refusal(self) -> str:
        """The text of the refusal, if the model refused."""
        return _joined(self._refusal)

    def add(self, chunk: Mapping[str, Any]) -> None:
        """Adds one chunk. Call it in the order of arrival. Fields of an unexpected type are ignored."""
        if self.id is None or self.model is None or self.created is None:
            self._add_head(chunk)
        usage = chunk.get("usage")
        if usage is not None and isinstance(usage, _OBJECT):
            self.usage = dict(usage)
        choices = chunk.get("choices")
        if not choices or not isinstance(choices, list) or not isinstance(choices[0], _OBJECT):
            return
        choice = choices[0]
        finish_reason = choice.get("finish_reason")
        if finish_reason is not None:
            self.finish_reason = _text(finish_reason) or self.finish_reason
        delta = choice.get("delta")
        if delta and isinstance(delta, _OBJECT):
            self._add_delta(delta)

    def _add_head(self, chunk: Mapping[str, Any]) -> None:
        created = chunk.get("created")
        self.id = self.id or _text(chunk.get("id"))
        self.model = self.model or _text(chunk.get("model"))
        self.created = self.created or (created if isinstance(created, int) else None)

    def _add_delta(self, delta: Mapping[str, Any]) -> None:
        content = _text(delta.get("content"))
        if content and len(delta) == 1:  # nearly every chunk
            self._content.append(content)
            self.deltas += 1
            return
        reasoning = _text(delta.get("reasoning_content")) or _text(delta.get("reasoning"))
        refusal = _text(delta.get("refusal"))
        calls = delta.get("tool_calls")
        for text, parts in ((content, self._content), (reasoning, self._reasoning), (refusal, self._refusal)):
            if text:
                parts.append(text)
        calls = [call for call in calls if isinstance(call, Mapping)] if isinstance(calls, list) else []
        for place, call in enumerate(calls):
            self._add_tool_call(call, place)
        if content or reasoning or refusal or calls:
            self.deltas += 1

    def _add_tool_call(self, call: Mapping[str, Any], place: int) -> None:
        id, index = _text(call.get("id")), call.get("index")
        if not isinstance(index, int):
            index = self._index_without(id, place)
        self._places[place] = index
        tool = self.tool_calls.setdefault(index, ToolCall())
        tool.id = tool.id or id
        function = call.get("function")
        if isinstance(function, Mapping):
            tool.name = tool.name or _text(function.get("name")) or ""
            arguments = _text(function.get("arguments"))
            if arguments:
                tool.fragments.append(arguments)

    def _index_without(self, id: str | None, place: int) -> int:
        """The index for a fragment that has none. A new id begins a new call; later fragments in the same position belong to that call."""
        known = self._places.get(place)
        if known is None or (id is not None and self.tool_calls[known].id not in (None, id)):
            return max(self.tool_calls, default=-1) + 1
        return known

    def message(self) -> dict[str, Any]:
        """The assistant message, as in a non-streaming answer."""
        message: dict[str, Any] = {"role": "assistant", "content": self.content if self._content or not self.tool_calls else None}
        if self._reasoning:
            message["reasoning_content"] = self.reasoning
        if self._refusal:
            message["refusal"] = self.refusal
        if self.tool_calls:
            message["tool_calls"] = [call.to_dict() for _, call in sorted(self.tool_calls.items())]
        return message

    def completion(self) -> dict[str, Any]:
        """The chunks folded into one `chat.completion`."""
        return {
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{"index": 0, "message": self.message(), "finish_reason": self.finish_reason}],
            "usage": self.usage,
        }


def _joined(parts: list[str]) -> str:
    """The parts as one text. If two parts hold the two UTF-16 halves of a character, the halves become one character again."""
    text = "".join(parts)
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _text(value: Any) -> str | None:
    """The value if it is a non-empty string, otherwise None."""
    return value if isinstance(value, str) and value else None
