"""`serving.edge`: bodies are bounded, and whole, before an app sees them. Over real sockets."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hop.event_stream import EventStream
from serving import edge
from serving.edge import Edge
from serving.limits import USUAL_BYTES, BodyLimits
from serving.room import UNCOUNTED_BYTES
from tests.serving.echo import Echo
from tests.support.served import Connection, serving, until
from wire.errors import ErrorCode, WireError
from wire.log import StreamLog

MIB = 1024 * 1024


async def in_pieces(total: int, piece: int) -> AsyncIterator[bytes]:
    """A body of unannounced length, which httpx sends chunked."""
    for place in range(0, total, piece):
        yield b"x" * min(piece, total - place)


class TestBody:
    """Bodies are bounded, and whole."""

    @pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
    async def test_too_large_a_body_is_answered(self, port: int, echo: Echo, chunked: bool) -> None:
        """A client that sends 10 MB can send all of it and read why it was refused; the app never hears of it."""
        async with httpx.AsyncClient() as client:
            content = in_pieces(10_000_000, 64 * 1024) if chunked else b"x" * 10_000_000
            response = await client.post(f"http://127.0.0.1:{port}/", content=content, headers={"X-Request-Id": "r-1"})
            assert 413 == response.status_code
            assert "application/json" == response.headers["content-type"]
            assert {"type", "code", "message", "retryable", "request_id"} == response.json()["error"].keys()
            assert ("too_large", False, "r-1") == tuple(response.json()["error"][name] for name in ("code", "retryable", "request_id"))
            assert "r-1" == response.headers["x-request-id"]
            assert [] == echo.calls
            again = await client.post(f"http://127.0.0.1:{port}/", content=b"small")
            assert (200, 5) == (again.status_code, again.json()["size"])

    @pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
    async def test_the_limit_is_the_last_size_that_passes(self, port: int, chunked: bool) -> None:
        """One MiB is allowed, one byte more is not."""
        async with httpx.AsyncClient() as client:
            for size, status in ((USUAL_BYTES, 200), (USUAL_BYTES + 1, 413)):
                content = in_pieces(size, 10_000) if chunked else b"x" * size
                response = await client.post(f"http://127.0.0.1:{port}/", content=content)
                assert status == response.status_code
        assert MIB == USUAL_BYTES

    async def test_too_large_a_body_is_not_held(self, port: int) -> None:
        """What is dropped takes no memory: 32 MiB pass through a small part of that."""
        piece = b"x" * (64 * 1024)
        async with Connection(port) as client:
            await client.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % (512 * len(piece)))
            tracemalloc.start()
            try:
                for _ in range(512):
                    await client.send(piece)
                assert 413 == (await client.response())[0]
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert peak < 8 * MIB

    async def test_a_server_may_have_another_limit(self) -> None:
        """Its own limit counts, and the answer names it and the setting."""
        async with serving(Edge(Echo(), limits=BodyLimits(messages=10))) as port, Connection(port) as client:
            await client.request("POST", "/", body=b"0123456789")
            assert 200 == (await client.response())[0]
            await client.request("POST", "/", body=b"0123456789a")
            status, _, body = await client.response()
        assert 413 == status
        assert "10 bytes (MAX_BODY_BYTES)" in json.loads(body)["error"]["message"]

    async def test_an_app_gets_the_body_whole(self, port: int, echo: Echo) -> None:
        """However it was sent, it is one message, and the last one."""
        async with Connection(port) as client:
            await client.request("POST", "/", "Transfer-Encoding: chunked")
            for piece in (b"3\r\nabc\r\n", b"2\r\nde\r\n"):
                await client.send(piece)
                await asyncio.sleep(0.01)
            assert [] == echo.calls
            await client.send(b"0\r\n\r\n")
            assert 200 == (await client.response())[0]
        assert [{"type": "http.request", "body": b"abcde", "more_body": False}] == [call["message"] for call in echo.calls]

    @pytest.mark.parametrize("headers", [[], ["Content-Length: 0"]])
    async def test_no_body_is_an_empty_one(self, port: int, echo: Echo, headers: list[str]) -> None:
        """Nobody waits for a body that was not announced."""
        async with Connection(port) as client:
            await client.request("GET", "/", *headers)
            assert 200 == (await client.response())[0]
        assert {"type": "http.request", "body": b"", "more_body": False} == echo.calls[0]["message"]

    async def test_a_client_that_leaves_in_mid_body(self, port: int, echo: Echo, access: list[dict[str, Any]]) -> None:
        """The app is not called with half a body, and the access line has 499."""
        async with Connection(port) as client:
            await client.send(b"POST /half HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\nsome")
            await asyncio.sleep(0.02)
            await client.leave()
            await until(lambda: len(access) == 1)
        assert (499, "/half") == (access[0]["status"], access[0]["path"])
        assert [] == echo.calls

    async def test_a_body_that_does_not_arrive(self, port: int, echo: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
        """A client that announces a body and falls silent is answered after a while instead of being waited for. It may try again."""
        monkeypatch.setattr(edge, "_BODY_TIMEOUT_S", 0.2)
        async with Connection(port) as client:
            await client.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\nsome")
            status, _, body = await client.response()
        error = json.loads(body)["error"]
        assert (408, "invalid_request", True) == (status, error["code"], error["retryable"])
        assert [] == echo.calls

    async def test_long_bodies_that_arrive_together(self, echo: Echo) -> None:
        """They share a limit. One too many is told to come back; short ones always have room, and so has everybody afterwards."""
        announced = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 150001\r\n\r\n"
        async with (
            serving(Edge(echo, limits=BodyLimits(memory_bytes=200_000))) as port,
            Connection(port) as slow,
            Connection(port) as late,
            Connection(port) as short,
        ):
            await slow.send(announced + b"x" * 150_000)
            await asyncio.sleep(0.5)
            await late.send(announced + b"x" * 150_000)
            status, headers, body = await late.response()
            assert (429, "1", "rate_limited") == (status, headers["retry-after"], json.loads(body)["error"]["code"])
            await short.request("POST", "/", body=b"x" * UNCOUNTED_BYTES)
            assert 200 == (await short.response())[0]
            await slow.send(b"x")
            assert 200 == (await slow.response())[0]
            await short.request("POST", "/", body=b"x" * 150_000)
            assert 200 == (await short.response())[0]
        assert [UNCOUNTED_BYTES, 150_001, 150_000] == [len(call["message"]["body"]) for call in echo.calls]

    async def test_what_is_dropped_takes_no_room(self, echo: Echo) -> None:
        """A body over the limit is not held while the rest of it comes, so it is not counted against the others."""
        limits = BodyLimits(memory_bytes=MIB + 200_000)
        async with serving(Edge(echo, limits=limits)) as port, Connection(port) as too_large, Connection(port) as other:
            await too_large.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % (3 * MIB) + b"x" * (2 * MIB))
            await asyncio.sleep(0.5)
            await other.request("POST", "/", body=b"x" * 900_000)
            assert 200 == (await other.response())[0]
            await too_large.send(b"x" * MIB)
            assert 413 == (await too_large.response())[0]
        assert [900_000] == [len(call["message"]["body"]) for call in echo.calls]

    async def test_a_long_body_that_is_worked_on(self) -> None:
        """It takes its room until its response begins, or until whoever keeps the place gives it back. A fault gives it back too."""
        told: dict[str, asyncio.Event] = {path: asyncio.Event() for path in ("/works", "/keeps", "/fails")}
        kept: list[Callable[[], None]] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] == "/keeps":
                kept.append(scope["state"]["body_place"].keep())
            await told[scope["path"]].wait()
            if scope["path"] == "/fails":
                raise WireError(ErrorCode.NOT_FOUND, "There is no such thing.")
            await Response()(scope, receive, send)

        for path, status in (("/works", 200), ("/fails", 404), ("/keeps", 200)):
            async with (
                serving(Edge(app, limits=BodyLimits(memory_bytes=200_000))) as port,
                Connection(port) as one,
                Connection(port) as two,
            ):
                await one.request("POST", path, body=b"x" * 150_000)
                await asyncio.sleep(0.2)
                await two.request("POST", path, body=b"x" * 150_000)
                assert 429 == (await two.response())[0]
                told[path].set()
                assert status == (await one.response())[0]
                if path == "/keeps":
                    await two.request("POST", path, body=b"x" * 150_000)
                    assert 429 == (await two.response())[0]
                    kept.pop()()
                await two.request("POST", path, body=b"x" * 150_000)
                assert status == (await two.response())[0]

    async def test_a_long_body_has_longer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As long as it comes at a fair pace it may take longer than a short one; one that stops is not waited for."""
        monkeypatch.setattr(edge, "_BODY_TIMEOUT_S", 1.0)
        async with serving(Edge(Echo())) as port, Connection(port) as steady, Connection(port) as stopped:
            announced = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 280000\r\n\r\n"
            await stopped.send(announced + b"x" * 70_000)
            await steady.send(announced)
            for _ in range(4):
                await asyncio.sleep(0.4)
                await steady.send(b"x" * 70_000)
            assert 200 == (await steady.response())[0]
            assert 408 == (await stopped.response())[0]

    async def test_a_stream_behind_it_notices_its_client_leaving(self) -> None:
        """After the body the server's own messages pass through: a relay learns that its client has left."""
        log = StreamLog()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await EventStream(log)(scope, receive, send)

        async with serving(Edge(app)) as port, Connection(port) as client:
            await client.request("POST", "/", body=b"{}")
            await client.head()
            assert 1 == log.readers
            await client.leave()
            await until(lambda: log.readers == 0, within=2)
