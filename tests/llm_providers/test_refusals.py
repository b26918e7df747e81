"""A refusal's body over real sockets: it is read for its error code, within bounds, and its connection is used again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from llm_providers import InvalidRequest, ModelNotFound, OutOfQuota, ProviderError, RateLimited, Target, Transport, Unauthorized
from llm_providers.transport import MAX_REFUSAL_BYTES
from tests.support.scripted import LAST_CHUNK, Peer, Upstream, chunk, upstream

PARAMS = {"messages": [{"role": "user", "content": "x"}]}
ERROR = {"message": "You exceeded your current quota.", "type": "insufficient_quota", "param": None, "code": "insufficient_quota"}


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    async with Transport() as opened:
        yield opened


def head(*headers: bytes, status: bytes = b"429 No") -> bytes:
    return b"\r\n".join([b"HTTP/1.1 " + status, b"Retry-After: 7", *headers, b"", b""])


def whole(value: Any, status: bytes = b"429 No") -> bytes:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return head(b"Content-Length: %d" % len(body), status=status) + body


async def refused(transport: Transport, server: Upstream, *, streamed: bool = True) -> ProviderError:
    target = Target("openai", "model", server.url, None, timeout_first_token_s=10.0, timeout_idle_s=10.0)
    with pytest.raises(ProviderError) as raised:
        if streamed:
            await transport.stream(target, PARAMS, lambda frames, size: None)
        else:
            await transport.complete(target, PARAMS)
    return raised.value


FORMS = {
    "whole": whole({"error": ERROR}),
    "in a list": whole([{"error": ERROR}]),
    "bare": whole(ERROR),
    "in a detail": whole({"detail": {"code": "insufficient_quota"}}),
    "among several": whole({"errors": [{"code": "insufficient_quota"}]}),
    "twice": whole({"error": {"error": ERROR}}),
    "as a status": whole({"error": {"status": "insufficient_quota"}}),
    "in words alone": whole({"error": {"message": "Your credit balance is too low, exceeded."}}, status=b"400 No"),
    "beside a text": whole({"error": "no money", "code": "insufficient_quota"}),
    "chunked": head(b"Transfer-Encoding: chunked")
    + b"".join(chunk(b"%b\n " % part) for part in (b'{"error":', b'{"code":', b'"insufficient_quota"}}'))
    + LAST_CHUNK,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
async def test_the_error_object_is_found(transport: Transport, form: str, streamed: bool) -> None:
    """However the provider wraps it, for both kinds of call."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(FORMS[form])

    async with upstream(script) as server:
        error = await refused(transport, server, streamed=streamed)
    assert type(error) is OutOfQuota
    assert "exceeded" not in str(error)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>insufficient_quota</html>",
        b"[]",
        b"[" * 50_000,
        b'"insufficient_quota"',
        b'{"error": {"code": "insufficient_quota"',
        b"\xff\xfe",
        b'{"error": null}',
    ],
)
async def test_a_body_that_says_nothing_leaves_the_status(transport: Transport, body: bytes) -> None:
    """No body, HTML, half of JSON: it is the rate limit that the status says, with its Retry-After."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(whole(body))

    async with upstream(script) as server:
        error = await refused(transport, server)
    assert (RateLimited, 7.0) == (type(error), error.retry_after)


@pytest.mark.parametrize("said", [json.dumps({"error": ERROR}).encode(), b'{"error": {"code":'], ids=["all", "half"])
@pytest.mark.parametrize("cut", [True, False], ids=["cut", "silent"])
async def test_a_body_without_an_end_is_not_waited_for(transport: Transport, said: bytes, cut: bool) -> None:
    """What has come by then counts, and the connection is closed."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(head(b"Content-Length: 1000") + said)
        if cut:
            await asyncio.sleep(0.05)
            peer.cut()
        else:
            await peer.gone(5)

    async with upstream(script) as server:
        error = await refused(transport, server)
    assert type(error) is (OutOfQuota if said.endswith(b"}") else RateLimited)


async def test_an_endless_body_is_cut_off(transport: Transport) -> None:
    """No more of it is read than the bound, and the provider sees the connection close."""
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(head(b"Transfer-Encoding: chunked"))
        while sent < 1000 * MAX_REFUSAL_BYTES:
            await peer.send(chunk(b" " * MAX_REFUSAL_BYTES))
            sent += MAX_REFUSAL_BYTES

    async with upstream(script) as server:
        error = await refused(transport, server)
        await (await server.peer()).gone()
    assert type(error) is RateLimited
    assert sent < 1000 * MAX_REFUSAL_BYTES


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"type":"invalid_model","message":"Invalid model: foo"}', ModelNotFound),
        (b"model 'foo' not found", ModelNotFound),
        (b'[{"error":{"code":400,"message":"No.","details":[{"reason":"API_KEY_INVALID"}]}}]', Unauthorized),
        (b'{"error":{"message":"max_tokens is too large for this model"}}', InvalidRequest),
    ],
)
async def test_a_status_may_blame_the_wrong_one(transport: Transport, body: bytes, kind: type[ProviderError]) -> None:
    """A model or a key that is the deployment's own matter is no invalid request, so that another deployment is asked."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(whole(body, status=b"400 Bad"))

    async with upstream(script) as server:
        error = await refused(transport, server)
    assert (kind, kind is not InvalidRequest) == (type(error), error.elsewhere)


async def test_a_connection_is_used_again_after_a_refusal(transport: Transport) -> None:
    """A provider that refuses many requests need not open as many connections."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(whole({"error": {"code": "context_length_exceeded"}}, status=b"400 Bad"))

    async with upstream(script) as server:
        for _ in range(3):
            assert type(await refused(transport, server)) is InvalidRequest
        assert 1 == len(server.peers)


async def test_cancelling_while_a_refusal_is_read_closes_the_socket(transport: Transport) -> None:
    """A caller that leaves does not wait for the body."""
    async with upstream() as server:
        asking = asyncio.create_task(refused(transport, server))
        peer = await server.peer()
        await peer.request()
        await peer.send(head(b"Content-Length: 10"))
        await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await peer.gone()
