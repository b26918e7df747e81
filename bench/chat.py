"""A question to the middle tier, as bytes for a socket."""

from __future__ import annotations

import json

from bench.load import post


def question(port: int, message: str, group: str = "text", *, length: int | None = None, close: bool = False) -> bytes:
    """Asks this group. With `length`, the body announces more than it brings; with `close`, the connection ends with the answer."""
    fields = {"Connection": "close"} if close else {}
    return post(port, "/api/chat/stream", json.dumps({"message": message, "model_group": group}).encode(), fields, length)
