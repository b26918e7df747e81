"""The model groups that the page offers: the gateway's, or the built-in ones until the gateway has answered."""

from __future__ import annotations

import asyncio
import logging
import time

from saas_client import SaaSClientError, SaaSLLMClient

logger = logging.getLogger(__name__)

BUILT_IN = ("chat-fast", "chat-balanced", "chat-quality")
DEFAULT = "chat-fast"
FRESH_FOR_S = 60.0
TIMEOUT_S = 1.0


class ModelGroups:
    """Asks the gateway for the names at most once a minute, and never waits longer than a page can."""

    def __init__(self, client: SaaSLLMClient) -> None:
        self._client = client
        self._names: list[str] = list(BUILT_IN)
        self._asked_at: float | None = None

    async def names(self) -> list[str]:
        """The names known so far."""
        now = time.monotonic()
        if self._asked_at is None or now - self._asked_at >= FRESH_FOR_S:
            self._asked_at = now
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    self._names = await self._client.model_groups() or self._names
            except (TimeoutError, SaaSClientError) as error:
                self._asked_at = None
                logger.info("the gateway's model groups are not known: %s", type(error).__name__)
        return self._names
