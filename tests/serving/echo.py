"""An app that answers with what reached it through the edge."""

from __future__ import annotations

import json
from typing import Any

from starlette.types import Receive, Scope, Send

from wire.context import outgoing_headers


class Echo:
    """An app that answers with what reached it, and keeps it."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        self.calls.append({"state": dict(scope["state"]), "message": message, "outgoing": outgoing_headers()})
        answer = json.dumps({"size": len(message["body"]), "more": message["more_body"], "outgoing": outgoing_headers()}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(answer)).encode())]})
        await send({"type": "http.response.body", "body": answer})
