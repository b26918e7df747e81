"""`wire.edge`: every request is timed, named, bounded and logged before an app sees it. Over real sockets."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

import wire.edge
from tests.wire.served import Connection, serving, until
from wire.edge import DEFAULT_MAX_BODY_BYTES, Edge, Scope, outgoing_headers, request_id_var
from wire.errors import ErrorCode, WireError
from wire.log import MemoryLog
from wire.logs import JsonFormatter
from wire.outbound import Receive, Send, relay
from wire.timing import now_ns

HEX32 = re.compile(r"[0-9a-f]{32}")
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
MIB = 1024 * 1024


class Echo:
    """An app that answers with what reached it, and keeps it."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        self.calls.append({"state": dict(scope["state"]), "message": message, "outgoing": outgoing_headers()})
        answer = json.dumps({"size": len(message["body"]), "more": message["more_body"], "outgoing": outgoing_headers()}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(answer)).encode())]})
        await send({"type": "http.response.body", "body": answer})


@pytest.fixture
async def echo() -> Echo:
    """What answers behind the edge."""
    return Echo()


@pytest.fixture
async def port(echo: Echo) -> AsyncIterator[int]:
    """Where it is served."""
    async with serving(Edge(echo)) as port:
        yield port


@pytest.fixture
def access() -> Iterator[list[dict[str, Any]]]:
    """The access lines written in this test, read back from their JSON."""
    lines: list[dict[str, Any]] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.loads(self.format(record)))

    handler, logger = Collect(), logging.getLogger("access")
    handler.setFormatter(JsonFormatter("test"))
    logger.addHandler(handler)
    before = logger.level
    logger.setLevel(logging.INFO)
    yield lines
    logger.removeHandler(handler)
    logger.setLevel(before)


async def in_pieces(total: int, piece: int) -> AsyncIterator[bytes]:
    """A body of unannounced length, which httpx sends chunked."""
    for place in range(0, total, piece):
        yield b"x" * min(piece, total - place)


class TestBody:
    """Bodies are bounded, and whole."""

    @pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
    async def test_too_large_a_body_is_answered(self, port: int, echo: Echo, chunked: bool) -> None:
        """A client that sends 10 MB gets to sending all of it and to reading why it was refused; the app never hears of it."""
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
            for size, status in ((DEFAULT_MAX_BODY_BYTES, 200), (DEFAULT_MAX_BODY_BYTES + 1, 413)):
                content = in_pieces(size, 10_000) if chunked else b"x" * size
                response = await client.post(f"http://127.0.0.1:{port}/", content=content)
                assert status == response.status_code
        assert MIB == DEFAULT_MAX_BODY_BYTES

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
        """`max_body_bytes` counts, and the answer names it."""
        async with serving(Edge(Echo(), max_body_bytes=10)) as port, Connection(port) as client:
            await client.request("POST", "/", body=b"0123456789")
            assert 200 == (await client.response())[0]
            await client.request("POST", "/", body=b"0123456789a")
            status, _, body = await client.response()
        assert 413 == status
        assert "10 bytes" in json.loads(body)["error"]["message"]

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
        """Nothing is waited for where nothing was announced."""
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
        """A client that announces a body and falls silent is answered after a while instead of being waited for."""
        monkeypatch.setattr(wire.edge, "_BODY_TIMEOUT_S", 0.2)
        async with Connection(port) as client:
            await client.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\nsome")
            status, _, body = await client.response()
        assert (408, "invalid_request") == (status, json.loads(body)["error"]["code"])
        assert [] == echo.calls

    async def test_a_stream_behind_it_notices_its_client_leaving(self) -> None:
        """After the body the server's own messages pass through: a relay learns that its client has left."""
        log = MemoryLog()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await relay(log, 0, receive, send)

        async with serving(Edge(app)) as port, Connection(port) as client:
            await client.request("POST", "/", body=b"{}")
            await client.head()
            assert 1 == log.readers
            await client.leave()
            await until(lambda: log.readers == 0, within=2)


class TestNames:
    """X-Request-Id and traceparent."""

    @pytest.mark.parametrize("name", ["r", "A-z_0.9:x", "a" * 128])
    async def test_a_request_id_is_given_back(self, port: int, echo: Echo, name: str) -> None:
        """What the client calls its request is what every hop calls it: in the state, in the answer, to the hop above."""
        async with Connection(port) as client:
            await client.request("GET", "/", f"X-Request-Id: {name}")
            _, headers, _ = await client.response()
        assert name == headers["x-request-id"] == echo.calls[0]["state"]["request_id"] == echo.calls[0]["outgoing"]["X-Request-Id"]

    @pytest.mark.parametrize("name", [None, "", "a" * 129, "a b", 'a"b', "a/b", "ä", "{}", "a,b", "a\tb"])
    async def test_a_malformed_one_is_replaced(self, port: int, echo: Echo, name: str | None) -> None:
        """Without a request id, or with one that could do harm in a log or a header, the request gets a new one, each its own."""
        async with Connection(port) as client:
            given = []
            for _ in range(2):
                await client.request("GET", "/", *([] if name is None else [f"X-Request-Id: {name}"]))
                given.append((await client.response())[1]["x-request-id"])
        assert all(HEX32.fullmatch(one) for one in given)
        assert 2 == len(set(given))
        assert given == [call["state"]["request_id"] for call in echo.calls] == [call["outgoing"]["X-Request-Id"] for call in echo.calls]

    async def test_a_traceparent_is_passed_on(self, port: int) -> None:
        """The trace of the caller goes on at the hop above."""
        async with Connection(port) as client:
            await client.request("GET", "/", f"traceparent: {TRACEPARENT}")
            assert TRACEPARENT == json.loads((await client.response())[2])["outgoing"]["traceparent"]

    @pytest.mark.parametrize(
        "value",
        [
            None,
            "x",
            TRACEPARENT.upper(),
            TRACEPARENT + "-00",
            "00-" + "0" * 32 + "-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
        ],
    )
    async def test_a_malformed_one_begins_a_new_trace(self, port: int, value: str | None) -> None:
        """Without a valid traceparent (https://www.w3.org/TR/trace-context/) the request begins a trace of its own."""
        async with Connection(port) as client:
            traces = []
            for _ in range(2):
                await client.request("GET", "/", *([] if value is None else [f"traceparent: {value}"]))
                traces.append(json.loads((await client.response())[2])["outgoing"]["traceparent"])
        assert all(re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", trace) for trace in traces)
        assert value not in traces
        assert 2 == len(set(traces))

    async def test_requests_at_once_keep_their_names(self) -> None:
        """Each request sees its own name, however they are mixed, and nothing is left behind when they are over."""
        arrived = asyncio.Barrier(10)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await arrived.wait()
            answer = json.dumps(outgoing_headers()).encode()
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(answer)).encode())]})
            await send({"type": "http.response.body", "body": answer})

        async def ask(port: int, name: str) -> str:
            async with Connection(port) as client:
                await client.request("GET", "/", f"X-Request-Id: {name}")
                return str(json.loads((await client.response())[2])["X-Request-Id"])

        names = [f"r{index}" for index in range(10)]
        async with serving(Edge(app)) as port:
            assert names == await asyncio.gather(*(ask(port, name) for name in names))
        assert request_id_var.get() is None
        assert {} == outgoing_headers()


async def test_the_moment_of_arrival_is_noted_before_the_body(port: int, echo: Echo) -> None:
    """`received_ns` is on the marks' clock, and a slow body counts into the request's time."""
    async with Connection(port) as client:
        before = now_ns()
        await client.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\na")
        await asyncio.sleep(0.1)
        sent = now_ns()
        await client.send(b"b")
        await client.response()
    assert before <= echo.calls[0]["state"]["received_ns"] <= sent - 50_000_000


class TestAccessLog:
    """One line per request."""

    async def test_a_line_is_json_with_the_requests_names(self, port: int, access: list[dict[str, Any]]) -> None:
        """Method, path without its query (which may hold a secret), status, duration and both names stand in it."""
        async with Connection(port) as client:
            await client.request("GET", "/a/b?key=secret", "X-Request-Id: r-7", f"traceparent: {TRACEPARENT}")
            await client.response()
            await until(lambda: len(access) == 1)
        line = access[0]
        assert 0 <= line.pop("duration_ms") < 1000
        line.pop("time")
        assert {
            "level": "INFO",
            "service": "test",
            "logger": "access",
            "message": "GET /a/b 200",
            "request_id": "r-7",
            "traceparent": TRACEPARENT,
            "method": "GET",
            "path": "/a/b",
            "status": 200,
        } == line

    async def test_a_stream_is_logged_when_it_is_over(self, access: list[dict[str, Any]]) -> None:
        """The line's duration is that of the whole response."""
        log = MemoryLog()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await relay(log, 0, receive, send)

        async with serving(Edge(app)) as port, Connection(port) as client:
            await client.request()
            await client.head()
            await asyncio.sleep(0.1)
            assert [] == access
            await client.leave()
            await until(lambda: len(access) == 1)
        assert 200 == access[0]["status"]
        assert access[0]["duration_ms"] >= 90


class TestErrors:
    """What an app raises."""

    async def test_an_error_of_ours_is_answered_in_its_form(self, access: list[dict[str, Any]]) -> None:
        """Its status, its object with the request's id, and how long to wait."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            raise WireError(ErrorCode.RATE_LIMITED, "Too many.", retry_after=1.2)

        async with serving(Edge(app)) as port, Connection(port) as client:
            await client.request("GET", "/", "X-Request-Id: r-9")
            status, headers, body = await client.response()
            await until(lambda: len(access) == 1)
        assert (429, "2", "r-9", "application/json") == (status, headers["retry-after"], headers["x-request-id"], headers["content-type"])
        assert WireError(ErrorCode.RATE_LIMITED, "Too many.", request_id="r-9").to_body() == body
        assert 429 == access[0]["status"]

    async def test_an_error_after_the_headers_cuts_the_response(self, access: list[dict[str, Any]]) -> None:
        """A status that has been sent cannot be taken back: the client sees a body without an end, not a second answer in it."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"begun", "more_body": True})
            raise WireError(ErrorCode.UPSTREAM_ERROR, "It broke.")

        async with serving(Edge(app)) as port, Connection(port) as client:
            await client.request()
            assert 200 == (await client.head())[0]
            assert b"begun" == await client.chunk()
            with pytest.raises(asyncio.IncompleteReadError) as cut:
                await client.chunk()
            await until(lambda: len(access) == 1)
        assert b"" == cut.value.partial
        assert 200 == access[0]["status"]

    async def test_any_other_exception_is_the_servers_own(self, access: list[dict[str, Any]]) -> None:
        """It passes through to the server, and the access line says 500."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            raise RuntimeError("a bug")

        async with serving(Edge(app)) as port, Connection(port) as client:
            await client.request()
            status, _, body = await client.response()
            await until(lambda: len(access) == 1)
        assert (500, 500) == (status, access[0]["status"])
        assert b"a bug" not in body


async def test_what_is_not_a_request_passes_through() -> None:
    """An app's lifespan is its own, and is not logged."""
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])
        for name in ("startup", "shutdown"):
            assert f"lifespan.{name}" == (await receive())["type"]
            await send({"type": f"lifespan.{name}.complete"})

    async with serving(Edge(app), lifespan="on"):
        pass
    assert ["lifespan"] == seen
