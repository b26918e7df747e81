"""From an answer's text to its HTML without making anybody wait: short texts at once, all others in a process of their own."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from cachetools import LRUCache
from markupsafe import Markup

from client_server.rendering.effort import TooMuch
from client_server.rendering.markdown import Markdown
from client_server.rendering.process import RenderingProcess

MAX_IN_PLACE = 1000
"""Characters of a text that may be rendered in the server's own process."""
MAX_STEPS_IN_PLACE = 120
"""What that may take: a millisecond or two, for any text. Code is coloured in the other process, whatever its length."""
MAX_KEPT = 8_000_000
"""Characters of HTML that are kept for the next time they are asked for."""


class Renderer:
    """Renders, and keeps the last renderings. It is a context manager, because a process belongs to it."""

    def __init__(self) -> None:
        self._markdown = Markdown()
        self._process = RenderingProcess()
        self._kept: LRUCache[str, Markup] = LRUCache(MAX_KEPT, getsizeof=len)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self._process.close()

    async def render(self, text: str) -> Markup:
        """The text as safe HTML. A text that takes too much work or time is shown as it was written."""
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
        """None where the text may take longer than the streams beside it can wait."""
        if len(text) > MAX_IN_PLACE or "```" in text or "~~~" in text:
            return None
        try:
            return self._markdown.attempt(text, MAX_STEPS_IN_PLACE)
        except TooMuch:
            return None
