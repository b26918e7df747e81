"""A refusal over real sockets: its body is read for its error code and its reason, in part and for a moment, and its connection is kept."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hop.door import Transport as Lane
from llm_providers import (
    InvalidRequest,
    ModelNotFound,
    OutOfQuota,
    ProviderError,
    ProviderFault,
    RateLimited,
    Target,
    Transport,
    Unauthorized,
)
from llm_providers import transport as transport_module
from llm_providers.transport import MAX_REFUSAL_BYTES
from tests.support.scripted import LAST_CHUNK, Peer, Upstream, answer, chunk, upstream

PARAMS = {"messages": [{"role": "user", "content": "x"}]}
KEY = "sk-provider"
ERROR = {"message": "You exceeded your current quota.", "type": "insufficient_quota", "param": None, "code": "insufficient_quota"}


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    """Connections to providers."""
    async with Transport() as opened:
        yield opened


@pytest.fixture(params=["direct", "httpx2"])
def lane(request: pytest.FixtureRequest) -> Lane:
    """Each way out."""
    chosen: Lane = request.param
    return chosen


def head(*headers: bytes, status: bytes = b"429 No") -> bytes:
    """The head of a refusal."""
    return b"\r\n".join([b"HTTP/1.1 " + status, b"Retry-After: 7", *headers, b"", b""])


def whole(value: Any, *headers: bytes, status: bytes = b"429 No") -> bytes:
    """A refusal with this body."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return head(b"Content-Length: %d" % len(body), *headers, status=status) + body


async def failed(transport: Transport, server: Upstream, lane: Lane = "auto", *, streamed: bool = True) -> ProviderError:
    """The error of one request."""
    target = Target("openai", "m", server.url, KEY, timeout_first_token_s=10.0, timeout_idle_s=10.0, transport=lane)
    with pytest.raises(ProviderError) as raised:
        if streamed:
            await transport.stream(target, PARAMS, lambda frames, size: None)
        else:
            await transport.complete(target, PARAMS)
    return raised.value


async def refused(transport: Transport, response: bytes, lane: Lane = "auto", *, streamed: bool = True) -> ProviderError:
    """The error of a request that is answered with these bytes."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(response)

    async with upstream(script) as server:
        return await failed(transport, server, lane, streamed=streamed)


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
    error = await refused(transport, FORMS[form], streamed=streamed)
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
    error = await refused(transport, whole(body))
    assert (RateLimited, 7.0) == (type(error), error.retry_after)


async def test_the_reason_is_the_providers(transport: Transport, lane: Lane) -> None:
    """In its own words, less our key. The error's message is ours."""
    told = {"error": {"message": f"{KEY} may not ask\nfor `top_q`", "code": "unknown_parameter"}}
    error = await refused(transport, whole(told, status=b"400 X"), lane)
    assert isinstance(error, InvalidRequest)
    assert "[hidden] may not ask for `top_q` (unknown_parameter)" == error.reason
    assert "top_q" not in str(error) + str(error.to_wire().to_dict())


@pytest.mark.parametrize("streamed", [True, False])
async def test_an_error_within_an_answer_has_its_reason(transport: Transport, lane: Lane, streamed: bool) -> None:
    """The same holds for what a provider reports with a success, or in mid-answer."""
    told = json.dumps({"error": {"message": f"{KEY} is out of luck", "type": "server_error"}}).encode()
    error = await refused(transport, answer(b"data: %b\n\n" % told if streamed else told), lane, streamed=streamed)
    assert isinstance(error, ProviderFault)
    assert "[hidden] is out of luck (server_error)" == error.reason


async def test_a_compressed_body_says_nothing(transport: Transport, lane: Lane) -> None:
    """Its bytes are no words. The status says what is wrong, and when to come back is in the head."""
    error = await refused(transport, whole(gzip.compress(b'{"error":{"message":"No."}}'), b"Content-Encoding: gzip"), lane)
    assert (RateLimited, 7.0, "") == (type(error), error.retry_after, error.reason)


@pytest.mark.parametrize("cut", [True, False], ids=["cut", "silent"])
@pytest.mark.parametrize(
    ("said", "kind", "reason"),
    [
        (json.dumps({"error": ERROR}).encode(), OutOfQuota, "You exceeded your current quota."),
        (b'{"error": {"code":', RateLimited, ""),
        (b"Out of", RateLimited, "Out of"),
        (b"", RateLimited, ""),
        (b"{" * 100_000, RateLimited, ""),
    ],
    ids=["all", "half", "words", "nothing", "much"],
)
async def test_a_body_without_an_end_is_not_waited_for(
    transport: Transport, lane: Lane, monkeypatch: pytest.MonkeyPatch, said: bytes, kind: type[ProviderError], reason: str, cut: bool
) -> None:
    """What has come by then counts, no other error takes its place, and the connection is closed."""
    monkeypatch.setattr(transport_module, "REFUSAL_TIMEOUT_S", 0.2)

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(head(b"Content-Length: 999999") + said)
        if cut:
            await asyncio.sleep(0.05)
            peer.cut()
        else:
            await peer.gone(5)

    async with asyncio.timeout(5), upstream(script) as server:
        error = await failed(transport, server, lane)
    assert (kind, 7.0 if kind is RateLimited else None) == (type(error), error.retry_after)
    assert error.reason.startswith(reason)


async def test_an_endless_body_is_cut_off(transport: Transport, lane: Lane) -> None:
    """No more of it is read than the bound, and the provider sees the connection close. What was read is its reason."""
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(head(b"Transfer-Encoding: chunked"))
        while sent < 1000 * MAX_REFUSAL_BYTES:
            await peer.send(chunk(b"word " * (MAX_REFUSAL_BYTES // 5)))
            sent += MAX_REFUSAL_BYTES

    async with asyncio.timeout(5), upstream(script) as server:
        error = await failed(transport, server, lane)
        await (await server.peer()).gone()
    assert type(error) is RateLimited
    assert error.reason.startswith("word word")
    assert len(error.reason) <= 500
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
async def test_a_status_may_blame_the_wrong_one(transport: Transport, lane: Lane, body: bytes, kind: type[ProviderError]) -> None:
    """A model or a key that is the deployment's own matter is no invalid request, so that another deployment is asked."""

    error = await refused(transport, whole(body, status=b"400 Bad"), lane)
    assert (kind, kind is not InvalidRequest) == (type(error), error.elsewhere)


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("status", [b"400 Bad", b"503 No"])
async def test_a_connection_is_used_again_after_a_refusal(transport: Transport, lane: Lane, streamed: bool, status: bytes) -> None:
    """A provider that refuses many requests need not open as many connections."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(whole({"error": {"code": "context_length_exceeded"}}, status=status))

    async with upstream(script) as server:
        for _ in range(3):
            await failed(transport, server, lane, streamed=streamed)
        assert 1 == len(server.peers)


async def test_cancelling_while_a_refusal_is_read_closes_the_socket(transport: Transport, lane: Lane) -> None:
    """A caller that leaves does not wait for the body."""
    async with upstream() as server:
        asking = asyncio.create_task(failed(transport, server, lane))
        peer = await server.peer()
        await peer.request()
        await peer.send(head(b"Content-Length: 10"))
        await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await peer.gone()


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(("code", "again"), [(401, False), (429, True)])
async def test_an_error_within_an_answer_says_whether_it_may_pass(lane: Lane, streamed: bool, code: int, again: bool) -> None:
    """A client that is told to try again would meet a refused key each time, whatever the status of the answer."""
    told = b'{"error":{"code":%d,"message":"No."}}' % code

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(b"data: %b\n\n" % told if streamed else told))

    async with upstream(script) as server, Transport() as opened:
        target = Target("openai", "m", server.url, KEY, transport=lane)
        with pytest.raises(ProviderFault) as failed:
            if streamed:
                await opened.stream(target, PARAMS, lambda frames, size: None)
            else:
                await opened.complete(target, PARAMS)
    assert (again, "upstream_error") == (failed.value.to_wire().retryable, failed.value.to_wire().code.code)
