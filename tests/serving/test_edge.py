"""`serving.edge`: every request is timed, named, and logged before an app sees it. Over real sockets."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from hop.event_stream import EventStream
from serving.edge import Edge
from tests.serving.echo import Echo
from tests.support.served import Connection, serving, until
from wire.context import outgoing_headers, request_id_var
from wire.errors import ErrorCode, WireError
from wire.log import StreamLog
from wire.timing import now_ns

HEX32 = re.compile(r"[0-9a-f]{32}")
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


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
        log = StreamLog()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await EventStream(log)(scope, receive, send)

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
