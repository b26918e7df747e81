"""The frames of one streamed answer, in OpenAI's format.

They are compact JSON with plain UTF-8 text (no escapes) and lines that end in LF alone, so a relay can forward them without parsing.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

from wire.sse import encode

Usage = Mapping[str, int]


def to_json(value: Any) -> bytes:
    """Compact JSON. Lone halves of surrogate pairs become question marks, since UTF-8 cannot hold them."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


class Chunks:
    """Makes the frames of one answer, all with the same id and time.

    With `usage_asked`, every chunk but the last carries `"usage": null`, and the last carries the usage, as OpenAI's do.
    """

    def __init__(self, model: str, *, usage_asked: bool = False) -> None:
        self.id = f"chatcmpl-{secrets.token_hex(12)}"
        self.created = int(time.time())
        self.model = model
        self._usage: dict[str, Any] = {"usage": None} if usage_asked else {}

    def role(self) -> bytes:
        """The first frame, which carries the role."""
        return self.delta({"role": "assistant", "content": ""})

    def delta(self, delta: Mapping[str, Any], finish_reason: str | None = None) -> bytes:
        """A piece of the answer."""
        return self._frame([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}], self._usage)

    def finish(self, reason: str) -> bytes:
        """The end of the answer: `stop`, `length` or `tool_calls`."""
        return self.delta({}, reason)

    def usage(self, usage: Usage | None) -> bytes:
        """A chunk without choices: the usage, after the end of the answer."""
        return self._frame([], {"usage": usage})

    def _frame(self, choices: list[dict[str, Any]], more: Mapping[str, Any]) -> bytes:
        return encode(to_json({**self._head("chat.completion.chunk"), "choices": choices, **more}))

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, "system_fingerprint": "fp_demo"}

    def completion(self, message: Mapping[str, Any], finish_reason: str | None, usage: Usage | None) -> dict[str, Any]:
        """The same answer as one object."""
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}
        return {**self._head("chat.completion"), "choices": [choice], "usage": usage}
