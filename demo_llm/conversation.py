"""The conversation, as the code that writes an answer needs it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from demo_llm.schemas import Message
from demo_llm.tokens import graphemes

_NAME = re.compile(r"\b(?i:my name is|i am called|call me|ich heiße|je m'appelle)\s+([^\W\d_][\w'’-]*(?: [A-ZÀ-Þ][\w'’-]*)?)")


@dataclass(frozen=True, slots=True)
class Conversation:
    """The messages of a request, with a property for each thing that an answer needs."""

    messages: Sequence[Message]

    @property
    def prompt(self) -> str:
        """The user's last message."""
        said = self._said("user")
        return said[-1] if said else ""

    @property
    def earlier(self) -> list[str]:
        """The user's messages before the prompt, oldest first."""
        return self._said("user")[:-1]

    @property
    def last_answer(self) -> str | None:
        """The model's last answer that has text."""
        answers = [text for text in self._said("assistant") if text]
        return answers[-1] if answers else None

    @property
    def instructions(self) -> str:
        """The text of the system and developer messages."""
        return "\n".join(self._said("system", "developer"))

    @property
    def tool_result(self) -> Message | None:
        """The result of a tool, if it is the last message."""
        last = self.messages[-1]
        return last if last.role in ("tool", "function") else None

    @property
    def user_name(self) -> str | None:
        """The name that the user gave; the latest one wins."""
        names = [match[1] for text in self._said("user") for match in _NAME.finditer(text)]
        return names[-1] if names else None

    def tool_name(self, call_id: str | None) -> str:
        """The name of the function that was called with this id."""
        for message in self.messages:
            for call in message.tool_calls or ():
                function = call.get("function")
                if call.get("id") == call_id and isinstance(function, dict):
                    return str(function.get("name") or "the tool")
        return "the tool"

    def _said(self, *roles: str) -> list[str]:
        return [message.text for message in self.messages if message.role in roles]


def quote(text: str, limit: int = 90) -> str:
    """The text on one line, shortened to `limit` visible characters."""
    line = list(graphemes(" ".join(text[: 8 * limit].split())))
    return "".join(line) if len(line) <= limit else "".join(line[: limit - 1]).rstrip() + "…"
