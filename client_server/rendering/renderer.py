"""Renders answers without delaying anybody: short texts at once, all others in another process."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from cachetools import LRUCache
from markupsafe import Markup

from client_server.rendering.effort import TooMuch
from client_server.rendering.markdown import Markdown
from client_server.rendering.process import RenderingProcess

MAX_IN_PLACE = 1000
"""The longest text, in characters, that the server's own process renders."""
MAX_STEPS_IN_PLACE = 120
"""The steps of such a text: a millisecond or two for any text. Code is always coloured in the other process."""
MAX_KEPT = 8_000_000
"""How many characters of rendered HTML are cached."""


class Renderer:
    """Renders, and caches the latest results. It is a context manager, because it owns a process."""

    def __init__(self) -> None:
        self._markdown = Markdown()
        self._process = RenderingProcess()
        self._kept: LRUCache[str, Markup] = LRUCache(MAX_KEPT, getsizeof=len)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self._process.close()

    async def render(self, text: str) -> Markup:
        """Returns the text as safe HTML. If it takes too much work or time, it is shown as plain text."""
        if not text:
            return Markup()
        html = self._kept.get(text)
        if html is None:
            html = self._in_place(text)
            if html is None:
                html = await self._process.render(text)
            if len(html) < MAX_KEPT:
                self._kept[text] = html
        return html

    def _in_place(self, text: str) -> Markup | None:
        """Returns None if the text may take longer than the running streams can wait."""
        if len(text) > MAX_IN_PLACE or "```" in text or "~~~" in text:
            return None
        try:
            return self._markdown.attempt(text, MAX_STEPS_IN_PLACE)
        except TooMuch:
            return None
