"""Each fault model does what its name says, as seen on a raw socket."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest

from demo_llm.models import Fault
from tests.demo_llm.client import PATH, Demo, request_for

PROMPT = "count to 10"
TEXT = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10."
TEN_TOKENS = "1, 2, 3, 4, 5,"


async def everything(demo: Demo, fault: Fault, *, stream: bool = True, **fields: Any) -> tuple[bytes, bytes, bool]:
    """The head, the body (its HTTP chunks joined), and whether the body ended as HTTP demands. Waits for the server to close."""
    async with demo.bare(PROMPT, model=f"demo-fault-{fault.value}", stream=stream, **fields) as reader:
        head = await reader.readuntil(b"\r\n\r\n")
        body = b""
        while line := await reader.readline():
            size = int(line, 16)
            body += (await reader.readexactly(size + 2))[:-2]
            if size == 0:
                return head, body, True
        return head, body, False


def said(body: bytes) -> str:
    """The text of all frames that are chunks."""
    text = ""
    for frame in body.split(b"\n\n"):
        if frame.startswith(b'data: {"id":"chatcmpl') and frame.endswith(b"}"):
            for choice in json.loads(frame[6:])["choices"]:
                text += choice["delta"].get("content") or ""
    return text


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("status", [401, 429, 500, 503])
async def test_a_status(demo: Demo, status: int, stream: bool) -> None:
    """The status comes at once, in OpenAI's envelope, with `Retry-After` if waiting helps."""
    got, headers, answer = await demo.request("POST", PATH, request_for(PROMPT, {"model": f"demo-fault-status-{status}", "stream": stream}))
    assert got == status
    assert set(answer["error"]) == {"message", "type", "param", "code"}
    assert headers.get("retry-after") == ("1" if status in (429, 503) else None)


@pytest.mark.parametrize("stream", [True, False])
async def test_hang(demo: Demo, stream: bool) -> None:
    """No byte comes, not even a status, and the connection stays open."""
    async with demo.bare(PROMPT, model="demo-fault-hang", stream=stream) as reader:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 1)


async def test_stall(demo: Demo) -> None:
    """Ten tokens come, then nothing, and the connection stays open."""
    async with demo.bare(PROMPT, model="demo-fault-stall", stream=True) as reader:
        got = b""
        with pytest.raises(TimeoutError):
            while True:
                got += await asyncio.wait_for(reader.readuntil(b"\n\n"), 1.2)
    assert len(re.findall(rb'"content":"[^"]', got)) == 10
    assert b"[DONE]" not in got


async def test_stall_in_one_piece(demo: Demo) -> None:
    """Without streaming, half of the JSON comes and then nothing."""
    async with demo.bare(PROMPT, model="demo-fault-stall") as reader:
        got = await reader.readuntil(b'"object":"chat.completion"')
        with pytest.raises(TimeoutError):
            while True:
                got += await asyncio.wait_for(reader.read(1000), 1)
    assert b"usage" not in got


@pytest.mark.parametrize("stream", [True, False])
async def test_drop(demo: Demo, stream: bool) -> None:
    """The socket closes in the middle of the JSON, and HTTP's end of body never comes."""
    _, body, ended = await everything(demo, Fault.DROP, stream=stream)
    assert not ended
    with pytest.raises(ValueError):
        json.loads(body.rpartition(b"data: ")[2])
    if stream:
        assert said(body) == TEN_TOKENS
        assert not body.endswith(b"\n\n")


async def test_no_done(demo: Demo) -> None:
    """All of the text comes, then a clean end without a finish reason and without `[DONE]`."""
    _, body, ended = await everything(demo, Fault.NO_DONE)
    assert ended
    assert said(body) == TEXT
    assert body.count(b'"finish_reason":null') == body.count(b"data: ")
    _, body, _ = await everything_whole(demo, Fault.NO_DONE)
    assert json.loads(body)["choices"][0]["finish_reason"] is None


async def test_error_frame(demo: Demo) -> None:
    """Ten tokens come, then an error instead of a chunk, and then the end."""
    _, body, ended = await everything(demo, Fault.ERROR_FRAME)
    assert ended
    assert said(body) == TEN_TOKENS
    assert json.loads(body.split(b"\n\n")[-2][6:])["error"]["code"] == "overloaded"
    head, body, _ = await everything_whole(demo, Fault.ERROR_FRAME)
    assert head.startswith(b"HTTP/1.1 200 ")
    assert "error" in json.loads(body)


async def test_bad_json(demo: Demo) -> None:
    """One frame in the middle is not JSON, and all of the text is in the others."""
    _, body, ended = await everything(demo, Fault.BAD_JSON)
    frames = body.split(b"\n\n")
    broken = [index for index, frame in enumerate(frames) if frame.startswith(b"data: {") and not frame.endswith(b"}")]
    assert broken == [11]
    assert ended
    assert said(body) == TEXT
    assert body.endswith(b"data: [DONE]\n\n")
    _, body, _ = await everything_whole(demo, Fault.BAD_JSON)
    with pytest.raises(ValueError):
        json.loads(body)


async def test_crlf(demo: Demo) -> None:
    """Every line ends in CRLF, there are comments, ids and retry fields between the frames, and the text is complete."""
    _, body, ended = await everything(demo, Fault.CRLF)
    assert ended
    assert not re.search(rb"(?<!\r)\n", body)
    for line in (rb"\r\n: still here\r\n", rb"\r\nid: \d+\r\n", rb"\r\nretry: 900\r\n"):
        assert re.search(line, body)
    content = [json.loads(data)["choices"][0]["delta"].get("content", "") for data in re.findall(rb"data: (\{.*\})\r\n", body)]
    assert "".join(content) == TEXT
    _, body, _ = await everything_whole(demo, Fault.CRLF)
    assert json.loads(body)["choices"][0]["message"]["content"] == TEXT


async def test_split(demo: Demo) -> None:
    """Each byte of the body comes in its own piece, and together they are the whole body."""
    async with demo.bare("echo é", model="demo-fault-split", stream=True) as reader:
        await reader.readuntil(b"\r\n\r\n")
        pieces = []
        while (size := int(await reader.readline(), 16)) > 0:
            assert size == 1
            pieces.append((await reader.readexactly(3))[:1])
    body = b"".join(pieces)
    assert said(body) == "é"
    assert body.endswith(b"data: [DONE]\n\n")


async def test_big_frame(demo: Demo) -> None:
    """One delta of two mebibytes comes, then a proper end."""
    _, body, ended = await everything(demo, Fault.BIG_FRAME)
    assert ended
    assert said(body) == "x" * 2 * 1024 * 1024
    assert len(body.split(b"\n\n")) == 5
    assert body.endswith(b"data: [DONE]\n\n")


async def test_null_usage(demo: Demo) -> None:
    """Every chunk has `"usage":null`, one of them has no choices, and the requested usage never comes."""
    _, body, ended = await everything(demo, Fault.NULL_USAGE, stream_options={"include_usage": True})
    chunks = [json.loads(frame[6:]) for frame in body.split(b"\n\n") if frame.startswith(b"data: {")]
    assert ended
    assert said(body) == TEXT
    assert [chunk["usage"] for chunk in chunks] == [None] * len(chunks)
    without = [index for index, chunk in enumerate(chunks) if not chunk["choices"]]
    assert len(without) == 1
    assert 0 < without[0] < len(chunks) - 1
    _, body, _ = await everything_whole(demo, Fault.NULL_USAGE)
    assert json.loads(body)["usage"] is None


async def test_the_server_survives_its_faults(demo: Demo) -> None:
    """After all faults at once, the next request is answered, and no fault has left a stack trace in the log."""
    faults = [fault for fault in Fault if fault not in (Fault.HANG, Fault.STALL) and not fault.value.startswith("status")]
    await asyncio.gather(*(everything(demo, fault) for fault in faults))
    assert await demo.say("echo still there") == "still there"
    assert not [line for line in demo.log_lines() if "exception" in line]


async def everything_whole(demo: Demo, fault: Fault) -> tuple[bytes, bytes, bool]:
    """The same without streaming."""
    return await everything(demo, fault, stream=False)
