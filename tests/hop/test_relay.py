"""`hop.relay`: from a log to a client, over real sockets. A server's `send` shows as one chunk of the chunked body."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterable
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from tests.hop.relays import END, TRAILER, Relays
from tests.support.served import Connection, serving, until
from tests.support.streamlogs import frame, frames
from wire.errors import ErrorCode, WireError
from wire.frames import failed_frame
from wire.log import Ending, Outcome, StreamLog
from wire.timing import HopMarks


async def test_headers_are_the_specifications_and_come_at_once() -> None:
    """Before there is any frame, the client has the status, the headers of every event stream, the caller's own, and no others."""
    async with Relays(StreamLog(), headers={"X-Job-Id": "j1"}).reader() as client:
        status, headers = await client.head()
    assert 200 == status
    assert {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache, no-transform",
        "x-accel-buffering": "no",
        "x-job-id": "j1",
        "transfer-encoding": "chunked",
    } == {name: value for name, value in headers.items() if name not in {"date", "server"}}


async def test_one_streams_headers_are_not_anothers() -> None:
    """The headers that a caller adds go to its own response alone."""
    async with Relays(StreamLog(), headers={"X-Job-Id": "j1"}).reader() as client:
        await client.head()
    async with Relays(StreamLog()).reader() as client:
        assert "x-job-id" not in (await client.head())[1]


async def test_a_preface_comes_before_any_frame() -> None:
    """What opens the stream (the reconnection time) is there with the headers."""
    async with Relays(StreamLog(), preface=b"retry: 500\n\n").reader() as client:
        await client.head()
        assert b"retry: 500\n\n" == await client.chunk()


async def test_each_frame_arrives_before_the_next_is_written() -> None:
    """Nothing waits: the client has a frame, alone and whole, while the producer has not yet written the next one."""
    log = StreamLog()
    async with Relays(log).reader() as client:
        await client.head()
        for index in range(50):
            log.append([frame(index)])
            assert frame(index) == await client.chunk()
        log.end(END)
        assert [TRAILER] == await client.chunks()


async def test_a_frame_arrives_within_milliseconds() -> None:
    """From append to client the median frame takes no more than a few milliseconds: no timer stands in between."""
    log, gaps = StreamLog(), []
    async with Relays(log).reader() as client:
        await client.head()
        for index in range(40):
            await asyncio.sleep(0.002)
            begun = time.perf_counter()
            log.append([frame(index)])
            await client.chunk()
            gaps.append(time.perf_counter() - begun)
    assert sorted(gaps)[20] < 0.01


async def test_frames_that_are_there_leave_in_one_write() -> None:
    """A late reader gets all of them together, and a waiting reader gets the frames of one append together."""
    log = StreamLog()
    log.append(frames(0, 5))
    async with Relays(log).reader() as client:
        await client.head()
        assert b"".join(frames(0, 5)) == await client.chunk()
        log.append(frames(5, 9))
        assert b"".join(frames(5, 9)) == await client.chunk()


@pytest.mark.parametrize("index", range(5))
async def test_resumes_from_an_index(index: int) -> None:
    """A reader that has the frames before an index gets the rest, and what comes later, and the trailer."""
    log = StreamLog()
    log.append(frames(0, 4))
    async with Relays(log).reader(index) as client:
        await client.head()
        received = [await client.chunk()] if index < 4 else []
        log.append(frames(4, 6))
        log.end(END)
        received += await client.chunks()
    assert b"".join(frames(index, 6)) + TRAILER == b"".join(received)


@pytest.mark.parametrize("index", [3, 4, 1000])
async def test_the_trailer_comes_also_to_who_resumes_past_the_end(index: int) -> None:
    """Every reader that gets to the end receives the hop's own frame and the terminal one, once."""
    log = StreamLog()
    log.append(frames(0, 3))
    log.end(END)
    async with Relays(log).reader(index) as client:
        await client.head()
        assert [TRAILER] == await client.chunks()


async def test_a_failed_stream_ends_in_order() -> None:
    """The terminal frame of a failure is a trailer like any other: the body ends whole."""
    log = StreamLog()
    failed = failed_frame(WireError(ErrorCode.UPSTREAM_ERROR, "It broke."))
    log.append(frames(0, 1))
    log.end(Ending(Outcome.FAILED, failed))
    async with Relays(log).reader() as client:
        await client.head()
        assert [frame(0), failed] == await client.chunks()


async def test_all_readers_get_the_same() -> None:
    """Twenty clients that come at different times receive the same bytes, and all are gone from the log at the end."""
    log = StreamLog()
    app = Relays(log)

    async def read(port: int) -> bytes:
        async with Connection(port) as client:
            await client.request()
            await client.head()
            return b"".join(await client.chunks())

    async with serving(app) as port:
        readers = []
        for index in range(20):
            readers.append(asyncio.create_task(read(port)))
            log.append([frame(index)])
            await until(lambda: log.readers == len(readers))
        log.end(END)
        assert {b"".join(frames(0, 20)) + TRAILER} == set(await asyncio.gather(*readers))
        await until(lambda: log.readers == app.running == 0)


async def test_translates_into_another_dialect() -> None:
    """Frames and trailer pass through `translate` whole, in order and once; if nothing is left, nothing is written."""
    seen: list[bytes] = []

    def data_alone(whole: Iterable[bytes]) -> bytes:
        parts = list(whole)
        seen.extend(parts)
        return b"".join(part.partition(b"\n")[2] for part in parts if part.startswith(b"id: "))

    log = StreamLog()
    app = Relays(log, translate=data_alone)
    async with app.reader() as client:
        await client.head()
        log.append(frames(0, 2))
        assert b"data: {}\n\ndata: {}\n\n" == await client.chunk()
        log.append([b": nothing of this dialect\n\n"])
        await until(lambda: len(seen) == 3)
        log.append(frames(3, 4))
        assert b"data: {}\n\n" == await client.chunk()
        log.end(END)
        assert [] == await client.chunks()
    assert [0, 20, 10, 0] == app.written  # the headers' flush, two writes, and the end
    assert [*frames(0, 2), b": nothing of this dialect\n\n", frame(3), TRAILER] == seen


async def test_departures_are_marked() -> None:
    """Each frame's dwell counts from its arrival, or from the moment the reader was there; a second reader changes nothing."""
    log, marks = StreamLog(), HopMarks("saas_api")
    log.append(frames(0, 3))
    marks.arrived(3, 60)
    await asyncio.sleep(0.3)
    async with serving(Relays(log, marks=marks)) as port:
        async with Connection(port) as client:
            await client.request()
            await client.head()
            await client.chunk()
            marks.arrived(1, 20)
            log.append(frames(3, 4))
            await client.chunk()
            await until(lambda: marks.last_out != marks.first_out)
        record: Any = marks.to_dict()
        async with Connection(port) as client:
            await client.request()
            await client.head()
            assert b"".join(frames(0, 4)) == await client.chunk()
    assert record == marks.to_dict()
    assert 4 == record["frames"]
    assert record["first_in_us"] <= record["first_out_us"] - 290_000
    assert record["last_in_us"] <= record["last_out_us"]
    assert record["dwell_us"]["max"] < 100_000


async def test_the_log_refuses_an_index_below_zero_before_anything_is_sent() -> None:
    """A mistake of the caller's shows as its error, not as a stream that never begins."""
    log = StreamLog()
    async with Relays(log).reader(-1) as client:
        assert 500 == (await client.head())[0]
    assert 0 == log.readers


async def test_small_frames_are_not_held_back_by_the_kernel() -> None:
    """TCP_NODELAY is on at the server's side of the connection: a second small write does not wait for the first one's acknowledgement."""
    options: list[int] = []

    class Spy(Relays):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            transport = send.__self__.transport  # type: ignore[attr-defined]  # uvicorn's request cycle; ASGI has no way to ask
            options.append(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            await super().__call__(scope, receive, send)

    async with Spy(StreamLog()).reader() as client:
        await client.head()
    assert [1] == [bool(option) for option in options]
