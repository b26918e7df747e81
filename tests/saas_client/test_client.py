"""The client against a real gateway, and against peers that break off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bench.script import expected_text
from saas_client import (
    Conflict,
    GatewayCut,
    GatewayRefused,
    InvalidKey,
    InvalidRequest,
    NotFound,
    SaaSLLMClient,
    UpstreamFailed,
)
from tests.saas_client.peers import peer, user
from tests.support.chain import Chain
from tests.support.ports import free_port


@pytest.fixture
async def client(chain: Chain) -> AsyncIterator[SaaSLLMClient]:
    """A client of the shared chain's gateway."""
    credentials = await asyncio.to_thread(chain.credentials)
    async with SaaSLLMClient(chain.saas_api.url, credentials["SAAS_VIRTUAL_KEY"], credentials["SAAS_TEAM_ID"]) as client:
        yield client


async def test_chat_answers_with_its_receipt(client: SaaSLLMClient) -> None:
    """A whole answer is OpenAI's object, with the receipt and the hop beside it."""
    answer = await client.chat(user("6 1 1"), temperature=0.1)
    assert answer["choices"][0]["message"]["content"] == expected_text(6)
    assert answer["saas"]["receipt"]["status"] == "finished"
    assert [hop["hop"] for hop in answer["saas"]["hops"]] == ["saas_api"]


async def test_a_stream_reads_as_text(client: SaaSLLMClient) -> None:
    """The deltas add up to the answer; the ids are there from the start and the receipt at the end."""
    async with client.chat_stream(user("30 1 1")) as stream:
        assert stream.job_id.startswith("job_")
        assert stream.call_id.startswith("call_")
        assert "".join([text async for text in stream.text()]) == expected_text(30)
        assert stream.receipt is not None
        assert stream.receipt["call_id"] == stream.call_id


async def test_a_resumed_stream_goes_on_after_the_last_frame(client: SaaSLLMClient) -> None:
    """Leaving a stream does not end the call; what comes after an id can be had again, byte for byte."""
    async with client.chat_stream(user("30 5 1")) as stream:
        first = [frame async for frame in _some(stream.frames(), 10)]
    async with client.resume_stream(stream.job_id, stream.call_id, 9) as again:
        rest = [frame async for frame in again.frames() if not frame.startswith(b":")]
    async with client.resume_stream(stream.job_id, stream.call_id) as anew:
        whole = [frame async for frame in anew.frames() if not frame.startswith(b":")]
    assert first + rest == whole
    assert whole[-1] == b"data: [DONE]\n\n"


async def test_the_same_key_is_the_same_call(client: SaaSLLMClient) -> None:
    """A request repeated under its idempotency key leads to the call that it began."""
    async with client.chat_stream(user("30 5 1"), idempotency_key="once") as stream:
        pass
    async with client.chat_stream(user("30 5 1"), idempotency_key="once") as again:
        assert (again.job_id, again.call_id) == (stream.job_id, stream.call_id)
        assert "".join([text async for text in again.text()]) == expected_text(30)


async def test_cancel_ends_the_stream_in_order(client: SaaSLLMClient) -> None:
    """A cancelled call's stream ends with its receipt, which says so."""
    async with client.chat_stream(user("1000 20 1")) as stream:
        assert (await client.cancel(stream.job_id, stream.call_id))["status"] == "cancelled"
        async for _ in stream.events():
            pass
        assert stream.receipt is not None
        assert stream.receipt["status"] == "cancelled"


async def test_jobs_are_created_and_completed(client: SaaSLLMClient) -> None:
    """A job ends once: to end it the same way again gives the same answer, another way is a conflict."""
    job = await client.create_job("test", user_id="u", metadata={"a": 1})
    assert job["status"] == "pending"
    await client.complete_job(job["job_id"], metadata={"b": 2})
    await client.complete_job(job["job_id"])
    with pytest.raises(Conflict):
        await client.complete_job(job["job_id"], "failed", error_message="no")


async def test_a_job_keeps_its_answer(client: SaaSLLMClient) -> None:
    """When the stream is over, the job holds what the call said and what it cost."""
    receipt = (await client.chat(user("6 1 1")))["saas"]["receipt"]
    (call,) = (await client.get_job(receipt["job_id"]))["calls"]
    assert (call["call_id"], call["status"]) == (receipt["call_id"], "finished")
    assert call["message"]["content"] == expected_text(6)
    assert call["cost_usd"] == receipt["cost_usd"]


async def test_errors_say_what_the_gateway_said(chain: Chain, client: SaaSLLMClient) -> None:
    """A status becomes its class, with code, message and request id."""
    with pytest.raises(NotFound) as caught:
        await client.cancel("job_unknown", "call_unknown")
    assert (caught.value.status, caught.value.code, caught.value.retryable) == (404, "not_found", False)
    assert caught.value.request_id
    with pytest.raises(InvalidRequest, match="messages"):
        await client.chat([])
    async with SaaSLLMClient(chain.saas_api.url, "sk-wrong-key-of-enough-length", "team") as stranger:
        with pytest.raises(InvalidKey):
            await stranger.chat(user("x"))


async def test_a_failed_stream_raises_after_what_came(client: SaaSLLMClient) -> None:
    """`failed` in the middle of a stream is an error like any other, and the text before it has been read."""
    seen = []
    async with client.chat_stream(user("30 1 1"), model_group="drop") as stream:
        with pytest.raises(UpstreamFailed) as caught:
            async for text in stream.text():
                seen.append(text)  # noqa: PERF401  # a comprehension would lose what came before the error
    assert "".join(seen) == expected_text(10)
    assert caught.value.code == "upstream_truncated"


async def test_nobody_there_is_refused() -> None:
    """If no connection can be made, nothing was sent."""
    async with SaaSLLMClient(f"http://127.0.0.1:{free_port()}", "sk-x", "team") as client:
        with pytest.raises(GatewayRefused):
            await client.chat(user("x"))


async def test_an_answer_that_breaks_off_is_cut() -> None:
    """A connection that ends before the head, or inside the body, is a cut, for answers and streams."""

    async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        return

    async def half(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\ndata: {}\n\nxxxxxx\r\n")
        await writer.drain()

    async def ends_too_soon(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\ndata: {}\n\n")
        await writer.drain()

    for serve in (silent, half):
        async with peer(serve) as client:
            with pytest.raises(GatewayCut):
                await client.chat(user("x"))
    for serve in (silent, half, ends_too_soon):
        async with peer(serve) as client:
            with pytest.raises(GatewayCut):
                async with client.chat_stream(user("x")) as stream:
                    async for _ in stream.events():
                        pass


async def test_a_stream_of_anything_else_is_cut() -> None:
    """Half a character is text; data that is not a JSON object is no stream of ours. Neither raises a foreign error."""

    async def say(*payloads: bytes) -> list[str]:
        async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"".join(b"data: %b\n\n" % data for data in payloads))
            await writer.drain()

        async with peer(serve) as client, client.chat_stream(user("x")) as stream:
            return [text async for text in stream.text()]

    halves = [b'{"choices": [{"delta": {"content": "\\ud83d"}}]}', b'{"choices": [{"delta": {"content": "\\ude00"}}]}']
    odd = [b'{"choices": 1}', b'{"choices": [null, {"delta": []}, {"delta": {"content": 5}}]}']
    assert await say(*halves, *odd, b"[DONE]") == ["\ud83d", "\ude00"]
    for garbage in (b"{", b"[]", b"null"):
        with pytest.raises(GatewayCut):
            await say(garbage, b"[DONE]")


async def test_cancelling_a_reader_closes_its_connection_at_once() -> None:
    """The peer sees the end of the connection within a fraction of a second."""
    closed = asyncio.Event()
    begun = asyncio.Event()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await writer.drain()
        begun.set()
        while await reader.read(65536):
            pass
        closed.set()

    async def follow(client: SaaSLLMClient) -> None:
        async with client.chat_stream(user("x")) as stream:
            await stream.read()

    async with peer(endless) as client:
        task = asyncio.create_task(follow(client))
        await begun.wait()
        task.cancel()
        async with asyncio.timeout(0.5):
            await closed.wait()


async def _some(frames: AsyncIterator[bytes], count: int) -> AsyncIterator[bytes]:
    async for frame in frames:
        if not frame.startswith(b":"):
            yield frame
            count -= 1
            if count == 0:
                return
