"""Chooses which tool to call and with which arguments."""

from __future__ import annotations

import re
from typing import NoReturn

from demo_llm.chunks import to_json
from demo_llm.conversation import Conversation
from demo_llm.errors import ProviderError
from demo_llm.extraction import fill
from demo_llm.schemas import ChatRequest, Function, NamedTool

_ENOUGH = 2
"""The lowest score at which a prompt seems to want a tool: one word of its name, or two words of its description."""
_EMPTY_WORDS = frozenset(
    "get set find make call the and for with from into this that what which how are you tell give about use function tool please".split()
)


def choose(request: ChatRequest) -> Function | None:
    """The function that the request forces or that its prompt seems to want, or None. Raises ProviderError for an impossible choice."""
    functions = [tool.function for tool in request.tools or ()]
    choice = request.tool_choice
    if isinstance(choice, NamedTool):
        named = next((function for function in functions if function.name == choice.function.name), None)
        return named or _refuse(f"'{choice.function.name}', which is none of the tools")
    if not functions and choice == "required":
        return _refuse("'required' without tools")
    if not functions or choice == "none":
        return None
    asked = _words(request.prompt[:4000])
    best = max(functions, key=lambda function: _score(function, asked))
    if choice == "required":
        return best
    answered = Conversation(request.messages).tool_result is not None
    return best if not answered and _score(best, asked) >= _ENOUGH else None


def arguments(function: Function, prompt: str) -> str:
    """The call's arguments as JSON, taken from the prompt as far as possible."""
    value = fill(function.parameters or {}, prompt) if function.parameters else {}
    return to_json(value if isinstance(value, dict) else {}).decode()


def _refuse(choice: str) -> NoReturn:
    raise ProviderError(400, f"Invalid value for 'tool_choice': {choice}.", param="tool_choice", code="invalid_value")


def _score(function: Function, asked: set[str]) -> int:
    named, described = _words(function.name), _words(function.description or "")
    return 2 * len(named & asked) + len((described - named) & asked)


def _words(text: str) -> set[str]:
    """The meaningful words, without a plural “s”."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", text)
    return {word.rstrip("s") for word in re.findall(r"[^\W\d_]{3,}", spaced.lower())} - _EMPTY_WORDS
