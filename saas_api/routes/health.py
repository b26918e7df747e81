"""Whether the server serves."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter(tags=["health"])


@router.get("/health")
async def health() -> dict[str, str]:
    """Answers as soon as the server takes requests."""
    return {"status": "ok", "service": "saas_api"}
