"""One turn of the page server: what the templates read of a turn, and how its stream behaves."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from client_server.figures import Figures
from client_server.rendering.markdown import Markdown

MARKDOWN = Markdown()


@dataclass
class Turn:
    """One turn as the templates see it, and the behaviour of its stream."""

    id: str
    user_message: str
    answer: list[str]
    streaming: bool = True
    model_group: str = "chat-fast"
    temperature: float = 0.7
    gap_s: float = 0.015
    first_s: float = 0.15
    script: str = ""
    state: str = "streaming"
    sent: int = 0
    error: dict[str, Any] | None = None
    figures: Figures | None = None
    browser: dict[str, Any] | None = None
    connections: list[str] = field(default_factory=list)
    arrivals: list[int] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)
    retryable: bool = False
    created_at: float = field(default_factory=time.time)
    readers: int = 0
    ended_us: int | None = None

    @property
    def events_url(self) -> str:
        return f"/chat/turns/{self.id}/events"

    @property
    def age_ms(self) -> int:
        return round((time.perf_counter() - self.began) * 1000)

    @property
    def first_token_ms(self) -> float | None:
        return self.arrivals[0] / 1000 if self.arrivals and self.state == "streaming" else None

    @property
    def content(self) -> str:
        return "".join(self.answer[: self.sent])

    @property
    def content_html(self) -> Markup:
        return MARKDOWN.to_html(self.content)

    def hops(self) -> list[dict[str, Any]]:
        """Realistic records of the two servers, upstream first."""
        records = []
        for hop, early, held in (("saas_api", 1900, 60), ("client_server", 0, 90)):
            arrivals = [mark - early for mark in self.arrivals]
            records.append(
                {
                    "hop": hop,
                    "received_at": self.created_at,
                    "upstream_sent_us": 700 if hop == "saas_api" else 900,
                    "upstream_headers_us": 2500,
                    "first_in_us": arrivals[0] if arrivals else None,
                    "first_out_us": arrivals[0] + held if arrivals else None,
                    "last_in_us": arrivals[-1] if arrivals else None,
                    "last_out_us": arrivals[-1] + held if arrivals else None,
                    "frames": len(arrivals),
                    "bytes": 210 * len(arrivals),
                    "reads": len(arrivals),
                    "dwell_us": {"p50": held, "p99": held * 3, "max": held * 5},
                    "arrivals_us": arrivals[:2048],
                }
            )
        return records

    def end(self, state: str, error: dict[str, Any] | None = None) -> None:
        self.state, self.error = state, error
        self.ended_us = round((time.perf_counter() - self.began) * 1e6)
        self.retryable = bool(error and error["retryable"])
        if not self.arrivals:
            return
        first, last = self.arrivals[0] / 1000, self.arrivals[-1] / 1000
        rate = len(self.arrivals) / max(0.001, (last - first) / 1000) if len(self.arrivals) > 1 else None
        self.figures = Figures(
            first_token_ms=first,
            total_ms=self.ended_us / 1000,
            tokens=self.sent,
            tokens_per_second=rate,
            cost_usd="0.000123",
            finish_reason="stop" if state == "finished" else None,
            on_screen=False,
        )
