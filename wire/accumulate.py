"""Folds a stream of `chat.completion.chunk` objects into one answer. It is pure: no I/O, no clock.

How a chunk is read says `wire.chunks`. A tool call may send its id and name once and carry nulls in the later fragments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wire.chunks import OBJECT, Piece, first_choice, merge_usage, read_choice


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
        if usage is not None:
            self.usage = merge_usage(self.usage, usage)
        choice = first_choice(chunk)
        if choice is None:
            return
        usage = choice.get("usage")
        if usage is not None:
            self.usage = merge_usage(self.usage, usage)
        finish_reason = choice.get("finish_reason")
        if finish_reason is not None:
            self.finish_reason = _text(finish_reason) or self.finish_reason
        delta = choice.get("delta")
        content = delta.get("content") if isinstance(delta, OBJECT) and len(delta) == 1 else None
        if content and isinstance(content, str):
            self._content.append(content)  # nearly every chunk
            self.deltas += 1
        else:
            self._add_piece(read_choice(choice, begun=self.deltas > 0))

    def _add_head(self, chunk: Mapping[str, Any]) -> None:
        created = chunk.get("created")
        self.id = self.id or _text(chunk.get("id"))
        self.model = self.model or _text(chunk.get("model"))
        self.created = self.created or (created if isinstance(created, int) else None)

    def _add_piece(self, piece: Piece) -> None:
        for text, parts in ((piece.content, self._content), (piece.reasoning, self._reasoning), (piece.refusal, self._refusal)):
            if text:
                parts.append(text)
        for place, call in enumerate(piece.tool_calls):
            self._add_tool_call(call, place)
        if piece.is_token:
            self.deltas += 1

    def _add_tool_call(self, call: Mapping[str, Any], place: int) -> None:
        id, index = _text(call.get("id")), call.get("index")
        if not isinstance(index, int):
            index = self._index_without(id, place)
        self._places[place] = index
        tool = self.tool_calls.setdefault(index, ToolCall())
        tool.id = tool.id or id
        function = call.get("function")
        if isinstance(function, OBJECT):
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
