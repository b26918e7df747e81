"""Jobs and their states."""

from __future__ import annotations

import asyncio

import httpx

from bench.script import expected_text
from tests.saas_api.conftest import Gateway


async def create(client: httpx.AsyncClient, gateway: Gateway) -> str:
    response = await client.post("/api/jobs/create", json={"team_id": gateway.team_id, "job_type": "test", "metadata": {"a": 1, "b": 2}})
    assert response.status_code == 201
    assert response.json()["status"] == "pending"
    return str(response.json()["job_id"])


async def status(client: httpx.AsyncClient, job_id: str) -> str:
    return str((await client.get(f"/api/jobs/{job_id}")).json()["status"])


async def test_a_job_from_creation_to_its_costs(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """pending, in_progress with its first call, completed with costs that are the sum of its calls."""
    job_id = await create(client, gateway)
    for script in ("3 1 1", "5 1 1"):
        response = await client.post(f"/api/jobs/{job_id}/llm-call", json=gateway.call("text", script))
        assert response.status_code == 200
    assert await status(client, job_id) == "in_progress"
    end = {"status": "completed", "metadata": {"b": None, "c": 3}}
    first = (await client.post(f"/api/jobs/{job_id}/complete", json=end)).json()
    assert first["status"] == "completed"
    assert first["costs"]["calls"] == 2
    assert first["costs"]["completion_tokens"] == 8
    assert first["costs"] == (await client.get(f"/api/jobs/{job_id}/costs")).json()["costs"]
    assert (await client.get(f"/api/jobs/{job_id}")).json()["metadata"] == {"a": 1, "c": 3}


async def test_final_states_are_final(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """Calls on a finished job get 409; completing it again the same way answers the same, another way gets 409."""
    job_id = await create(client, gateway)
    first = await client.post(f"/api/jobs/{job_id}/complete", json={"status": "failed", "error_message": "no"})
    again = await client.post(f"/api/jobs/{job_id}/complete", json={"status": "failed"})
    other = await client.post(f"/api/jobs/{job_id}/complete", json={"status": "completed"})
    assert first.json() == again.json()
    assert (other.status_code, other.json()["error"]["code"]) == (409, "job_finished")
    for route in ("llm-call", "llm-call-stream"):
        response = await client.post(f"/api/jobs/{job_id}/{route}", json=gateway.call())
        assert (response.status_code, response.json()["error"]["code"]) == (409, "job_finished")


async def test_a_job_with_a_running_call_cannot_end(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """Completing under a running call is refused with job_state, and possible after its cancel."""
    job_id = await create(client, gateway)
    async with gateway.stream(gateway.call("stall"), f"/api/jobs/{job_id}/llm-call-stream") as stream:
        await stream.read_frames(3)
        early = await client.post(f"/api/jobs/{job_id}/complete", json={"status": "completed"})
        assert (early.status_code, early.json()["error"]["code"]) == (409, "job_state")
        await client.post(f"/api/jobs/{job_id}/calls/{stream.headers['x-call-id']}/cancel")
    assert (await client.post(f"/api/jobs/{job_id}/complete", json={"status": "completed"})).status_code == 200


async def test_two_that_complete_at_once(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """Of two different ends that come together exactly one wins."""
    for _ in range(5):
        job_id = await create(client, gateway)
        ends = [client.post(f"/api/jobs/{job_id}/complete", json={"status": end}) for end in ("completed", "failed")]
        codes = sorted(response.status_code for response in await asyncio.gather(*ends))
        assert codes == [200, 409]


async def test_a_call_without_streaming(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """A chat.completion with the receipt and the hop's timings beside it; the job made for it ends with it."""
    response = await client.post("/api/jobs/create-and-call", json=gateway.call("text", "7 3 20"))
    answer = response.json()
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["content"] == expected_text(7)
    assert answer["saas"]["receipt"]["status"] == "finished"
    (hop,) = answer["saas"]["hops"]
    assert hop["first_in_us"] - hop["upstream_sent_us"] >= 40_000
    assert response.headers["server-timing"].startswith("saas_api;dur=")
    assert await status(client, response.headers["x-job-id"]) == "completed"


async def test_a_client_that_leaves_cancels_its_whole_answer(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """Without streaming nobody could come back for the answer, so the provider is stopped."""
    before = (await asyncio.to_thread(gateway.provider.stats))["cancelled"]
    waiting = asyncio.create_task(client.post("/api/jobs/create-and-call", json=gateway.call("text", "100 100 0")))
    await asyncio.to_thread(gateway.provider.wait_for, lambda stats: stats["open"] > 0)
    waiting.cancel()
    await asyncio.to_thread(gateway.provider.wait_for, lambda stats: stats["cancelled"] > before, 1.0)


async def test_the_stored_answer(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """The job keeps what its call said, for those who come after the stream."""
    async with gateway.stream(gateway.call("tools")) as stream:
        await stream.read_all()
    job = (await client.get(f"/api/jobs/{stream.headers['x-job-id']}")).json()
    assert job["calls"][0]["message"]["tool_calls"][0]["function"]["name"] == "get_forecast"


async def test_metadata_is_merged(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """New keys are added, null removes one."""
    job_id = await create(client, gateway)
    response = await client.patch(f"/api/jobs/{job_id}/metadata", json={"metadata": {"a": None, "x": "y"}})
    assert response.json()["metadata"] == {"b": 2, "x": "y"}


async def test_the_calls_of_a_job_come_in_pages(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """Each call once, in order, a hundred at most; what is no page is refused."""
    job = (await client.post("/api/jobs/create", json={"team_id": gateway.team_id, "job_type": "chat"})).json()["job_id"]
    call = gateway.call(script="1 1 1")
    made = [(await client.post(f"/api/jobs/{job}/llm-call", json=call)).headers["x-call-id"] for _ in range(5)]
    found: list[str] = []
    after: str | None = None
    while True:
        page = (await client.get(f"/api/jobs/{job}", params={"limit": 2} | ({} if after is None else {"after": after}))).json()
        assert len(page["calls"]) <= 2
        found += [one["call_id"] for one in page["calls"]]
        after = page["next_after"]
        if after is None:
            break
    assert found == made
    for query in ("limit=0", "limit=-1", "limit=101", "limit=NaN", "limit=1e400", "limit=99999999999999999999", "limit=", "limit=%00"):
        refused = await client.get(f"/api/jobs/{job}?{query}")
        assert refused.status_code == 422
        assert refused.json()["error"]["message"].startswith("limit: ")
    for after in ("call_none", "%00", "%ED%A0%80", "-1", ""):
        refused = await client.get(f"/api/jobs/{job}?after={after}")
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_request")
