"""How a chunk is read: the one rule by which the gateway, the middle tier and the typed client tell what an answer says.

`web/static/js/chunks.js` states the same rule for the page, and the tests run both over the same cases. It is pure: no I/O, no clock.

The format is OpenAI's (https://platform.openai.com/docs/api-reference/chat-streaming), with the variants that its imitators send:

- An answer is the first choice. What counts is its `delta`. A `message` counts only if nothing has come before it and the delta carries
  nothing: some providers repeat the whole answer in their last chunk.
- `content` is a text or a list of parts. Parts of text are the answer, those of thinking its reasoning, those of refusal its refusal.
- Reasoning stands in `reasoning_content`, in `reasoning`, or in parts of thinking.
- A tool call may also stand alone in `function_call`, its older form.
- A token is what carries text, reasoning, a refusal or a tool call. A role, an empty text and a filter's verdict are none.
- Usage may stand on any chunk, beside the choices or in one. Counts that are nothing never replace counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

OBJECT = (dict, Mapping)
"""The types of a JSON object. `dict` comes first, since checking the abstract class costs more than the rest of a chunk."""

_NO_CALLS: Sequence[Mapping[str, Any]] = ()


class Piece(NamedTuple):
    """What one delta, or one message, carries."""

    content: str = ""
    reasoning: str = ""
    refusal: str = ""
    tool_calls: Sequence[Mapping[str, Any]] = _NO_CALLS

    @property
    def is_token(self) -> bool:
        return bool(self.content or self.reasoning or self.refusal or self.tool_calls)


NOTHING = Piece()


def first_choice(chunk: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The choice that is the answer; None if the chunk has none."""
    choices = chunk.get("choices")
    if choices and isinstance(choices, list) and isinstance(choices[0], OBJECT):
        choice: Mapping[str, Any] = choices[0]
        return choice
    return None


def read_choice(choice: Mapping[str, Any], *, begun: bool) -> Piece:
    """What a choice adds to the answer. `begun`: whether a token has come before."""
    delta = choice.get("delta")
    piece = read_delta(delta) if isinstance(delta, OBJECT) else NOTHING
    if begun or piece.is_token:
        return piece
    message = choice.get("message")
    return read_delta(message) if isinstance(message, OBJECT) else piece


def read_delta(delta: Mapping[str, Any]) -> Piece:
    """What a delta carries. Fields of an unexpected type are ignored."""
    content, calls = delta.get("content"), delta.get("tool_calls")
    if calls is None and isinstance(function := delta.get("function_call"), OBJECT):
        calls = [{"index": 0, "function": function}]  # what tool calls were once
    text, thought, refused = (content, "", "") if isinstance(content, str) else _parts(content)
    return Piece(
        text,
        _text(delta.get("reasoning_content")) or _text(delta.get("reasoning")) or thought,
        _text(delta.get("refusal")) or refused,
        [call for call in calls if isinstance(call, OBJECT)] if isinstance(calls, list) else _NO_CALLS,
    )


def text_of(content: Any) -> str:
    """The answer's text in a message's `content`."""
    return content if isinstance(content, str) else _parts(content)[0]


def merge_usage(known: Mapping[str, Any] | None, usage: Any) -> dict[str, Any] | None:
    """The counts after a chunk has told this `usage`. What is no count (0, null, an empty object, nonsense) replaces none."""
    if not isinstance(usage, OBJECT) or not any(usage.values()):
        return None if known is None else dict(known)
    merged = dict(known or {})
    for name, value in usage.items():
        if isinstance(value, OBJECT):
            inner = merged.get(name)
            merged[name] = merge_usage(inner if isinstance(inner, OBJECT) else None, value)
        elif isinstance(value, int) and value > 0:
            merged[name] = value
        else:
            merged.setdefault(name, value)
    return merged


def as_chunk(completion: Mapping[str, Any]) -> dict[str, Any]:
    """A whole `chat.completion` as the only chunk of its stream. In a stream, tool calls are numbered."""
    choice, chunk = first_choice(completion), {name: completion.get(name) for name in ("id", "created", "model", "usage")}
    choices = [] if choice is None else [{"index": 0, "delta": _as_delta(choice), "finish_reason": choice.get("finish_reason")}]
    return chunk | {"object": "chat.completion.chunk", "choices": choices}


def _as_delta(choice: Mapping[str, Any]) -> dict[str, Any]:
    message = choice.get("message")
    delta = dict(message) if isinstance(message, OBJECT) else {}
    if isinstance(calls := delta.get("tool_calls"), list):
        delta["tool_calls"] = [{"index": index, **call} for index, call in enumerate(calls) if isinstance(call, OBJECT)]
    return delta


def _parts(content: Any) -> tuple[str, str, str]:
    """The text, the reasoning and the refusal in a `content` that is a list of parts."""
    text: list[str] = []
    thought: list[str] = []
    refused: list[str] = []
    for part in content if isinstance(content, list) else ():
        if isinstance(part, str):
            text.append(part)
        elif isinstance(part, OBJECT):
            refused += _texts(part.get("refusal"))
            thought += _texts(part.get("thinking"))
            (thought if part.get("type") in ("thinking", "reasoning") else text).extend(_texts(part.get("text")))
    return "".join(text), "".join(thought), "".join(refused)


def _texts(value: Any) -> Iterator[str]:
    """The texts in a part's field: a text, or a list of texts and parts of text."""
    for item in value if isinstance(value, list) else (value,):
        text = item.get("text") if isinstance(item, OBJECT) else item
        if isinstance(text, str):
            yield text


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
