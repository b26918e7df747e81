"""What counts as a provider's answer: any success with a right body, whatever its number and its harmless headers."""

from __future__ import annotations

import gzip

import pytest

from hop.door import Transport as Lane
from llm_providers import ProtocolViolation, ProviderError, Target, Transport
from tests.support.scripted import Peer, upstream

MESSAGES = {"messages": [{"role": "user", "content": "hi"}]}
FRAME = b'data: {"choices":[{"index":0,"delta":{"content":"hello"},"finish_reason":"stop"}]}\n\n'
STREAM = FRAME + b"data: [DONE]\n\n"
WHOLE = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}'

pytestmark = pytest.mark.parametrize("lane", ["direct", "httpx2"])


async def asked(lane: Lane, head: bytes, body: bytes, *, streamed: bool) -> bytes | ProviderError:
    """What comes of a provider's response: the frames, the text of a whole answer, or the error."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"%b\r\nContent-Length: %d\r\n\r\n%b" % (head, len(body), body))
        await peer.gone()

    frames: list[bytes] = []
    async with upstream(script) as server, Transport() as transport:
        target = Target("openai", "m", server.url, None, transport=lane)
        try:
            if streamed:
                await transport.stream(target, MESSAGES, lambda some, size: frames.extend(some))
                return b"".join(frames)
            completion, _ = await transport.complete(target, MESSAGES)
        except ProviderError as error:
            return error
    text: str = completion["choices"][0]["message"]["content"]
    return text.encode()


@pytest.mark.parametrize("status", [200, 201, 202, 203, 206, 226, 299])
async def test_any_success_is_an_answer(lane: Lane, status: int) -> None:
    """The body says whether it is one, and not the number."""
    head = b"HTTP/1.1 %d X" % status
    assert FRAME == await asked(lane, head, STREAM, streamed=True)
    assert b"hello" == await asked(lane, head, WHOLE, streamed=False)


@pytest.mark.parametrize("encoding", [b"identity", b"", b"none", b"utf-8", b"aws-chunked", b"ISO-8859-1", b"identity, UTF-8", b"x"])
async def test_what_encodes_nothing_is_no_encoding(lane: Lane, encoding: bytes) -> None:
    """Servers write much into `Content-Encoding` that leaves the body as it is."""
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: " + encoding
    assert FRAME == await asked(lane, head, STREAM, streamed=True)
    assert b"hello" == await asked(lane, head, WHOLE, streamed=False)


@pytest.mark.parametrize("status", [200, 201])
async def test_a_compressed_answer_is_refused(lane: Lane, status: int) -> None:
    """Nobody asked for one."""
    head = b"HTTP/1.1 %d X\r\nContent-Encoding: GZIP" % status
    for streamed in (True, False):
        error = await asked(lane, head, gzip.compress(WHOLE), streamed=streamed)
        assert isinstance(error, ProtocolViolation)
        assert "compressed" in str(error)


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("status", [204, 205])
async def test_a_success_without_content_is_none(lane: Lane, status: int, streamed: bool) -> None:
    """There is no answer in it, and the error says so."""
    error = await asked(lane, b"HTTP/1.1 %d X" % status, b"", streamed=streamed)
    assert isinstance(error, ProtocolViolation)
    assert f"The model provider's answer is empty (status {status})." == str(error)


async def test_an_empty_whole_answer_is_none(lane: Lane) -> None:
    """The same holds for any other number."""
    error = await asked(lane, b"HTTP/1.1 201 Created", b"", streamed=False)
    assert isinstance(error, ProtocolViolation)
    assert "The model provider's answer is empty (status 201)." == str(error)
