"""Tells whether the server is up."""

from __future__ import annotations

from fastapi import APIRouter

from serving.answers import Health
from serving.openapi import answers

router = APIRouter(tags=["health"])


@router.get("/health", responses=answers(Health, "The server serves."))
async def health() -> dict[str, str]:
    """Answers as soon as the server takes requests."""
    return {"status": "ok", "service": "client_server"}
