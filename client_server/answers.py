"""Models of the JSON routes' answers, for the OpenAPI document. Answers are not checked against them at run time; a test does that."""

from __future__ import annotations

from pydantic import BaseModel, Field

from serving.answers import CallState, Hop, Receipt, Usage


class ChatAnswer(BaseModel):
    """A whole answer, what it cost, and where the time went."""

    turn_id: str
    job_id: str | None
    call_id: str | None
    content: str
    finish_reason: str | None
    usage: Usage | None
    cost_usd: str | None = Field(description="Dollars, as a decimal string with six places.")
    model_group: str
    timing: list[Hop] = Field(description="One record per hop, upstream first.")


class TurnTiming(BaseModel):
    """The state of an answer, and where the time went."""

    state: CallState
    streaming: bool
    ended_us: int | None = Field(description="When it ended, in microseconds since client_server's own record begins.")
    waiting_for: str | None = Field(description="The hop that is not there at the moment, if the turn waits for one: `saas_api`.")
    hops: list[Hop] = Field(description="One record per hop, upstream first; `browser` last, where a browser has sent its own.")
    receipt: Receipt | None
