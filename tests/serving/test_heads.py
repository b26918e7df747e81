"""`serving.heads`: a request's head has an end, in bytes and in seconds. Over real sockets, on uvicorn's own protocol."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.edge import Edge
from serving.heads import MAX_HEAD_BYTES, BoundedHeads
from tests.serving.echo import Echo
from tests.support.served import Connection, serving

TIMEOUT_S = 0.3
REQUEST = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


class Protocol(BoundedHeads, HttpToolsProtocol):
    """As the servers use it, in less of a hurry than a test."""

    head_timeout_s = TIMEOUT_S


class Patient(BoundedHeads, HttpToolsProtocol):
    """As the servers use it."""


@pytest.fixture
async def hasty() -> AsyncIterator[int]:
    """The port of an echo that gives a head a moment."""
    async with serving(Edge(Echo()), http=Protocol) as port:
        yield port


@pytest.fixture
async def patient(echo: Echo) -> AsyncIterator[int]:
    """The port of an echo with the bounds that are in use."""
    async with serving(Edge(echo), http=Patient) as port:
        yield port


async def closed_after(client: Connection) -> float:
    """How many seconds it takes until the server closes, without a word."""
    since = time.monotonic()
    async with asyncio.timeout(5):
        assert b"" == await client.reader.read()
    return time.monotonic() - since


class TestTime:
    """A connection must make a request, or it is closed."""

    async def test_silence(self, hasty: int) -> None:
        """One that says nothing is closed."""
        async with Connection(hasty) as client:
            assert TIMEOUT_S / 2 < await closed_after(client) < TIMEOUT_S + 1

    async def test_a_head_that_drips(self, hasty: int) -> None:
        """The whole head must come in time: a byte now and then keeps nothing open."""
        async with Connection(hasty) as client:

            async def drip() -> None:
                while True:
                    client.writer.write(b"x")
                    await asyncio.sleep(0.02)

            await client.send(b"GET / HTTP/1.1\r\nHost: test\r\nX-Long: ")
            dripping = asyncio.create_task(drip())
            try:
                assert await closed_after(client) < TIMEOUT_S + 1
            except ConnectionResetError:
                pass  # a byte was on its way when the server closed
            finally:
                dripping.cancel()

    @pytest.mark.parametrize("part", [b"GET / HT", b"\r\n"], ids=["a head's beginning", "nothing but a line end"])
    async def test_the_next_request_is_bounded_too(self, hasty: int, part: bytes) -> None:
        """A later request on the same connection has the same time, whatever ended its keep-alive."""
        async with Connection(hasty) as client:
            await client.send(REQUEST)
            await client.response()
            await asyncio.sleep(TIMEOUT_S * 2)
            await client.send(part)
            assert TIMEOUT_S / 2 < await closed_after(client) < TIMEOUT_S + 1

    async def test_the_rest_has_its_own_time(self, hasty: int) -> None:
        """Neither a pause between two requests nor a slow body is a slow head."""
        async with Connection(hasty) as client:
            for _ in range(2):
                await client.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\na")
                await asyncio.sleep(TIMEOUT_S * 2)
                await client.send(b"b")
                assert 200 == (await client.response())[0]
                await asyncio.sleep(TIMEOUT_S * 2)

    async def test_a_stream_may_last(self) -> None:
        """A response goes on for as long as it likes, even if its client adds a line end to its request."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for number in range(3):
                await send({"type": "http.response.body", "body": b"%d" % number, "more_body": True})
                await asyncio.sleep(TIMEOUT_S)
            await send({"type": "http.response.body"})

        async with serving(app, http=Protocol) as port, Connection(port) as client:
            await client.send(REQUEST)
            await client.head()
            await client.send(b"\r\n")
            assert [b"0", b"1", b"2"] == await client.chunks()


class TestSize:
    """What is over the limit gets 431, and the connection ends."""

    @pytest.mark.parametrize(
        "head",
        [
            REQUEST[:-2] + b"X: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n",
            REQUEST[:-2] + b"X: 1\r\n" * (MAX_HEAD_BYTES // 6) + b"\r\n",
            b"GET /" + b"x" * MAX_HEAD_BYTES + REQUEST[5:],
        ],
        ids=["a long header", "many headers", "a long address"],
    )
    @pytest.mark.parametrize("before", [0, 1], ids=["first request", "second request"])
    async def test_a_head_over_the_limit(self, patient: int, echo: Echo, head: bytes, before: int) -> None:
        """It is refused, and the app does not see it."""
        async with Connection(patient) as client:
            for _ in range(before):
                await client.send(REQUEST)
                await client.response()
            await client.send(head)
            status, headers, body = await client.response()
            assert (431, "close", "invalid_request") == (status, headers["connection"], json.loads(body)["error"]["code"])
            assert b"" == await client.reader.read()
        assert before == len(echo.calls)

    @pytest.mark.parametrize("beginning", [b"GET /", REQUEST[:-2] + b"X: "], ids=["address", "header"])
    async def test_a_head_without_an_end(self, patient: int, echo: Echo, beginning: bytes) -> None:
        """It is refused as soon as it is over the limit, give or take what one read brings."""
        async with Connection(patient) as client:
            await client.send(beginning)
            sent = 0
            while not client.reader.at_eof() and not client.writer.transport.is_closing() and sent <= 4 * MAX_HEAD_BYTES:
                client.writer.write(b"x" * 4096)
                sent += 4096
                await asyncio.sleep(0.005)
            assert MAX_HEAD_BYTES <= sent <= 2 * MAX_HEAD_BYTES
        assert [] == echo.calls

    async def test_a_head_at_the_limit(self, patient: int, echo: Echo) -> None:
        """It is served, and so is the request after it."""
        head = REQUEST[:-2] + b"X: " + b"x" * (MAX_HEAD_BYTES - 100) + b"\r\n\r\n"
        async with Connection(patient) as client:
            for _ in range(3):
                await client.send(head)
                assert 200 == (await client.response())[0]

    async def test_a_body_is_not_its_head(self, patient: int) -> None:
        """A body of several times the limit goes through, in one go with its head, and with the next request behind it."""
        body = b"x" * (MAX_HEAD_BYTES * 8)
        request = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        async with Connection(patient) as client:
            for _ in range(2):
                client.writer.write(request + REQUEST[:20])
                assert len(body) == json.loads((await client.response())[2])["size"]
                await client.send(REQUEST[20:])
                assert 0 == json.loads((await client.response())[2])["size"]

    @pytest.mark.parametrize(
        "sent", [b"HELO there\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: M>\r\n\r\n", b"\x16\x03\x01\x02\r\n"]
    )
    async def test_bytes_that_are_not_http(self, patient: int, sent: bytes) -> None:
        """They get 400 in the form of every other error."""
        async with Connection(patient) as client:
            await client.send(sent)
            status, headers, body = await client.response()
        assert (400, "application/json", "invalid_request") == (status, headers["content-type"], json.loads(body)["error"]["code"])

    async def test_a_running_answer_gets_no_second_one(self) -> None:
        """A client that sends too large a head during an answer is cut off, and finds no 431 in that answer."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"begun", "more_body": True})
            while (await receive())["type"] != "http.disconnect":
                pass

        async with serving(app, http=Patient) as port, Connection(port) as client:
            await client.send(REQUEST)
            await client.head()
            assert b"begun" == await client.chunk()
            client.writer.write(b"GET /" + b"x" * 8 * MAX_HEAD_BYTES)
            rest = b""
            try:
                async with asyncio.timeout(5):
                    rest = await client.reader.read()
            except ConnectionResetError:
                pass  # the rest of the head was on its way when the server closed
            assert b"" == rest
