"""The client over a client that its user hands in."""

from __future__ import annotations

import asyncio

import httpx2

from bench.script import expected_text
from saas_client import SaaSLLMClient
from tests.support.chain import Chain


async def test_everything_goes_through_it(chain: Chain) -> None:
    """Answers and streams are the same, each request goes through it, and its user still has to close it."""
    credentials = await asyncio.to_thread(chain.credentials)
    seen: list[str] = []

    async def note(request: httpx2.Request) -> None:
        seen.append(request.url.path)

    async with httpx2.AsyncClient(event_hooks={"request": [note]}) as handed_in:
        arguments = (chain.saas_api.url, credentials["SAAS_VIRTUAL_KEY"], credentials["SAAS_TEAM_ID"])
        async with SaaSLLMClient(*arguments, http_client=handed_in) as client:
            job = await client.create_job("test")
            async with client.chat_stream([{"role": "user", "content": "20 2 2"}]) as stream:
                assert "".join([text async for text in stream.text()]) == expected_text(20)
        assert job["status"] == "pending"
        assert not handed_in.is_closed
    assert ["/api/jobs/create", "/api/jobs/create-and-call-stream"] == seen
