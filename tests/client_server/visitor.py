"""A person at the page, without a browser: cookie, token, origin, and the requests that the page makes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.support.streams import Stream, open_stream

TIMEOUT_S = 20.0


class Visitor:
    """One session. Call `open` before anything else."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self.url = url
        self.http = http
        self.token = ""

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str) -> AsyncIterator[Visitor]:
        """A visitor who has just loaded the page."""
        async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S) as http:
            visitor = cls(url, http)
            await visitor.open()
            yield visitor

    async def open(self, path: str = "/") -> str:
        """Loads a page, and remembers its token."""
        response = await self.http.get(path)
        response.raise_for_status()
        found = re.search(r'name="csrf-token" content="([0-9a-f]+)"', response.text)
        assert found is not None
        self.token = found[1]
        return response.text

    @property
    def headers(self) -> dict[str, str]:
        """What the page's script sends with every change."""
        return {"Origin": self.url, "X-CSRF-Token": self.token, "HX-Request": "true"}

    @property
    def cookie(self) -> dict[str, str]:
        return {"Cookie": f"session={self.http.cookies['session']}"}

    async def post(self, path: str, **options: Any) -> httpx.Response:
        """Sends a change as the page's script does."""
        return await self.http.post(path, headers=self.headers | options.pop("headers", {}), **options)

    async def say(self, message: str, *, stream: bool = True, conversation: str = "", **fields: str) -> str:
        """Sends a message from the form. Returns the turn's id."""
        form = {"message": message, "conversation_id": conversation, "model_group": "chat-fast", "temperature": "0.7"} | fields
        response = await self.post("/chat/messages", data=form | ({"stream": "on"} if stream else {}))
        assert response.status_code == 200, response.text
        return turn_id(response.text)

    def events(self, turn: str, last_event_id: int | None = None) -> Any:
        """The turn's stream, as an async context manager."""
        return open_stream(f"{self.url}/chat/turns/{turn}/events", headers=self.cookie, last_event_id=last_event_id)

    async def timing(self, turn: str) -> dict[str, Any]:
        """The turn's state, hops and receipt."""
        response = await self.http.get(f"/chat/turns/{turn}/timing")
        response.raise_for_status()
        return dict(response.json())

    async def until(self, turn: str, state: str) -> dict[str, Any]:
        """Waits until the turn is in this state, and returns the same record. Raises TimeoutError."""
        async with asyncio.timeout(TIMEOUT_S):
            while (record := await self.timing(turn))["state"] != state:  # noqa: ASYNC110  # the state is another process's: there is no event to wait for
                await asyncio.sleep(0.02)
        return record


def turn_id(html: str) -> str:
    """The id of the answer in a fragment."""
    found = re.search(r'data-turn-id="(turn_[0-9a-f]+)"', html)
    assert found is not None, html
    return found[1]


def content_of(html: str) -> str:
    """The raw Markdown of the answer in a fragment, as the page's `template` holds it, unescaped."""
    found = re.search(r'<template data-role="source">(.*?)</template>', html, re.DOTALL)
    assert found is not None, html
    text = found[1]
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&#34;", '"'), ("&#39;", "'"), ("&amp;", "&")):
        text = text.replace(entity, character)
    return text


async def whole(stream: Stream) -> list[bytes]:
    """The raw frames of a stream that ends in order, without the preface and pings."""
    await stream.read_all()
    return [frame.raw for frame in stream.frames if not frame.raw.startswith((b"retry:", b":"))]
