"""Which parts of a conversation the model gets."""

from __future__ import annotations

from dataclasses import replace

from client_server.conversation import HISTORY_CHARACTERS, gateway_request
from tests.client_server.test_store import ROW


def test_a_long_conversation_forgets_its_beginning() -> None:
    """The newest turns that fit are sent, whole and in order. The new message is always sent."""
    turns = [replace(ROW, state="finished", user_message=f"q{index}", content="x" * (HISTORY_CHARACTERS // 3)) for index in range(6)]
    told = [message["content"] for message in gateway_request("now", turns, "chat-fast", None)["messages"]]
    assert [text for text in told if text.startswith("q")] == ["q4", "q5"]
    assert told[-1] == "now"


def test_what_failed_was_not_said() -> None:
    """A failed answer is not part of the history."""
    turns = [replace(ROW, state="failed", content="half"), replace(ROW, state="finished", content="whole")]
    assert [message["content"] for message in gateway_request("now", turns, "chat-fast", 0.5)["messages"]] == ["hello", "whole", "now"]
