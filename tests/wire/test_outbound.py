"""`wire.outbound`: from a log to a client, over real sockets. A server's `send` shows as one chunk of the chunked body."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest

from tests.wire.served import Connection, serving, until
from wire.edge import Scope
from wire.errors import ErrorCode, WireError
from wire.frames import failed_frame, hop_frame, numbered
from wire.log import MAX_TAKE_BYTES, Ending, MemoryLog, Outcome
from wire.outbound import Receive, Send, relay
from wire.sse import DONE, PING
from wire.timing import HopMarks

TRAILER = hop_frame({"hop": "client_server"}) + DONE
END = Ending(Outcome.FINISHED, TRAILER)
MIB = 1024 * 1024


def frame(index: int) -> bytes:
    """A frame that tells which one it is."""
    return numbered(index, b"data: {}\n\n")


def frames(start: int, stop: int) -> list[bytes]:
    """The frames of these indices."""
    return [frame(index) for index in range(start, stop)]


class Relays:
    """An app that relays one log: the path is the index to begin at, the settings are those of `relay`.

    It keeps the size of every body it wrote, how its relays came back, and after which passes of the event loop it wrote.
    """

    def __init__(self, log: MemoryLog, **settings: Any) -> None:
        self.log = log
        self.settings = settings
        self.running = 0
        self.written: list[int] = []
        self.passes: list[int] = []
        self.endings: list[str] = []
        self._pass = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counting(message: Any) -> None:
            await send(message)
            if message["type"] == "http.response.body":
                self.written.append(len(message["body"]))
                self.passes.append(self._pass)

        self.running += 1
        loop = asyncio.get_running_loop()
        loop.call_soon(self._count_passes, loop)
        try:
            await relay(self.log, int(scope["path"][1:] or 0), receive, counting, **self.settings)
            task = asyncio.current_task()
            self.endings.append("cancelling" if task is not None and task.cancelling() else "returned")
        except asyncio.CancelledError:
            self.endings.append("cancelled")
            raise
        finally:
            self.running -= 1

    def _count_passes(self, loop: asyncio.AbstractEventLoop) -> None:
        self._pass += 1
        if self.running:
            loop.call_soon(self._count_passes, loop)

    @contextlib.asynccontextmanager
    async def reader(self, index: int = 0, **options: Any) -> AsyncIterator[Connection]:
        """A client of a server of this app, which has sent its request."""
        async with serving(self) as port, Connection(port, **options) as client:
            await client.request("GET", f"/{index}")
            yield client


async def test_headers_are_the_specifications_and_come_at_once() -> None:
    """Before there is any frame, the client has the status and just the headers that every event stream has, and the caller's own."""
    async with Relays(MemoryLog(), headers=[(b"x-job-id", b"j1")]).reader() as client:
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
    async with Relays(MemoryLog(), headers=[(b"x-job-id", b"j1")]).reader() as client:
        await client.head()
    async with Relays(MemoryLog()).reader() as client:
        assert "x-job-id" not in (await client.head())[1]


async def test_a_preface_comes_before_any_frame() -> None:
    """What opens the stream (the reconnection time) is there with the headers."""
    async with Relays(MemoryLog(), preface=b"retry: 500\n\n").reader() as client:
        await client.head()
        assert b"retry: 500\n\n" == await client.chunk()


async def test_each_frame_arrives_before_the_next_is_written() -> None:
    """Nothing waits: the client has a frame, alone and whole, while the producer has not yet written the next one."""
    log = MemoryLog()
    async with Relays(log).reader() as client:
        await client.head()
        for index in range(50):
            log.append([frame(index)])
            assert frame(index) == await client.chunk()
        log.end(END)
        assert [TRAILER] == await client.chunks()


async def test_a_frame_arrives_within_milliseconds() -> None:
    """From append to client the median frame takes no more than a few milliseconds: no timer stands in between."""
    log, gaps = MemoryLog(), []
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
    """Who comes late gets all of them together, and who waits gets what one append brings together."""
    log = MemoryLog()
    log.append(frames(0, 5))
    async with Relays(log).reader() as client:
        await client.head()
        assert b"".join(frames(0, 5)) == await client.chunk()
        log.append(frames(5, 9))
        assert b"".join(frames(5, 9)) == await client.chunk()


@pytest.mark.parametrize("index", range(5))
async def test_resumes_from_an_index(index: int) -> None:
    """A reader that has the frames before an index gets the rest, and what comes later, and the trailer."""
    log = MemoryLog()
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
    log = MemoryLog()
    log.append(frames(0, 3))
    log.end(END)
    async with Relays(log).reader(index) as client:
        await client.head()
        assert [TRAILER] == await client.chunks()


async def test_a_failed_stream_ends_in_order() -> None:
    """The terminal frame of a failure is a trailer like any other: the body ends whole."""
    log = MemoryLog()
    failed = failed_frame(WireError(ErrorCode.UPSTREAM_ERROR, "It broke."))
    log.append(frames(0, 1))
    log.end(Ending(Outcome.FAILED, failed))
    async with Relays(log).reader() as client:
        await client.head()
        assert [frame(0), failed] == await client.chunks()


async def test_all_readers_get_the_same() -> None:
    """Twenty clients that come at different times receive the same bytes, and all are gone from the log at the end."""
    log = MemoryLog()
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


async def test_pings_after_silence() -> None:
    """While the model is silent, each silence of `ping_after_s` is broken by a comment; the log knows nothing of it."""
    log = MemoryLog()
    async with Relays(log, ping_after_s=0.2).reader() as client:
        await client.head()
        log.append([frame(0)])
        assert frame(0) == await client.chunk()
        begun = time.monotonic()
        assert [PING, PING] == [await client.chunk() for _ in range(2)]
        assert 0.35 <= time.monotonic() - begun <= 2
        assert 1 == len(log)
        log.append([frame(1)])
        assert frame(1) == await client.chunk()


async def test_no_ping_without_silence() -> None:
    """A stream that goes on has no pings between its frames."""
    log = MemoryLog()
    async with Relays(log, ping_after_s=0.8).reader() as client:
        await client.head()
        for index in range(30):
            log.append([frame(index)])
            assert frame(index) == await client.chunk()
            await asyncio.sleep(0.04)


async def test_a_client_that_leaves_while_nothing_comes_is_noticed() -> None:
    """The reader leaves the log within a moment, although there is nothing to send to it."""
    log = MemoryLog()
    app = Relays(log)
    async with app.reader() as client:
        await client.head()
        await until(lambda: log.readers == 1)
        await client.leave()
        await until(lambda: log.readers == 0, within=2)
        await until(lambda: app.running == 0, within=2)
        assert log.unread_since is not None


async def test_a_client_that_closes_politely_is_noticed() -> None:
    """A FIN is as good as a reset."""
    log = MemoryLog()
    async with Relays(log).reader() as client:
        await client.head()
        client.writer.close()
        await until(lambda: log.readers == 0, within=2)


async def test_a_client_that_leaves_a_full_log_is_noticed() -> None:
    """With hundreds of MiB still to send, the relay ends when its client has left, instead of writing all of it into nothing.

    A `send` to a client that has left returns without suspending: this loop must give way by itself.
    """
    block = b"x" * (MAX_TAKE_BYTES // 4)
    log = MemoryLog(max_bytes=1024 * MIB)
    log.append([block] * (4 * 800))
    app = Relays(log)
    async with app.reader() as client:
        await client.head()
        assert 4 * block == await client.chunk()
        await client.leave()
        await until(lambda: log.readers == 0, within=2)
        assert sum(app.written) < log.size / 4


async def test_catching_up_gives_way_between_two_writes() -> None:
    """However much one reader has to catch up on, the event loop serves everyone else after each of its writes.

    A `send` that the kernel takes at once does not suspend, so this does not come by itself.
    """
    log = MemoryLog()
    log.append([b"x" * MAX_TAKE_BYTES] * 40)
    log.end(END)
    app = Relays(log)
    async with app.reader() as client:
        await client.head()
        assert 41 == len(await client.chunks())
    of_data = app.passes[1:-1]
    assert 40 == len(of_data) == len(set(of_data))


async def stuck(client: Connection) -> None:
    """Lets the client's kernel buffer run full: from here on it does not read."""
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport reads as well as it writes


async def test_a_client_that_stops_reading_is_let_go() -> None:
    """After `send_timeout_s` without taking anything it is no reader any more; meanwhile producer and other readers go on."""
    log = MemoryLog(max_bytes=64 * MIB)
    block = b"x" * MAX_TAKE_BYTES
    app = Relays(log, ping_after_s=0.2, send_timeout_s=0.6)
    async with serving(app) as port, Connection(port, receive_buffer=4096) as client, Connection(port) as other:
        await client.request()
        await until(lambda: log.readers == 1)
        await stuck(client)
        begun = time.monotonic()
        log.append([block] * 80)
        await other.request()
        await other.head()
        assert [block] * 80 == [await other.chunk() for _ in range(80)]
        log.append([b"later"])
        assert b"later" == await other.chunk()
        await until(lambda: log.readers == 1, within=3)
        assert 0.5 <= time.monotonic() - begun
        assert (1, ["returned"]) == (app.running, app.endings)


async def test_a_client_that_stops_reading_before_the_end_is_let_go() -> None:
    """The trailer is under the same watch as the frames: a stream that has ended does not hold its last reader for ever."""
    log = MemoryLog(max_bytes=64 * MIB)
    log.append([b"x" * (32 * MIB)])
    log.end(END)
    app = Relays(log, ping_after_s=0.2, send_timeout_s=0.3)
    async with serving(app) as port, Connection(port, receive_buffer=4096) as client:
        await client.request()
        await stuck(client)
        await until(lambda: sum(app.written) == 32 * MIB)
        assert 1 == log.readers
        await until(lambda: log.readers == app.running == 0, within=3)


async def test_a_short_send_timeout_does_not_wait_for_a_ping() -> None:
    """A stuck client is found in its own time, also where pings are far apart."""
    log = MemoryLog(max_bytes=64 * MIB)
    app = Relays(log, ping_after_s=60, send_timeout_s=0.3)
    async with serving(app) as port, Connection(port, receive_buffer=4096) as client:
        await client.request()
        await until(lambda: log.readers == 1)
        await stuck(client)
        log.append([b"x" * MAX_TAKE_BYTES] * 80)
        await until(lambda: log.readers == 0, within=3)


async def test_an_idle_client_is_not_taken_for_a_stuck_one() -> None:
    """Silence of the model, however long, is not the reader's fault."""
    log = MemoryLog()
    async with Relays(log, ping_after_s=0.4, send_timeout_s=0.1).reader() as client:
        await client.head()
        assert [PING] * 2 == [await client.chunk() for _ in range(2)]
        log.append([frame(0)])
        while (chunk := await client.chunk()) == PING:
            pass
        assert frame(0) == chunk


async def test_a_server_that_stops_cuts_its_readers() -> None:
    """A relay that is cancelled from outside leaves the log and the client sees a body without an end: it will resume."""
    log = MemoryLog()
    log.append(frames(0, 1))
    app = Relays(log)
    async with contextlib.AsyncExitStack() as stack:
        async with serving(app) as port:
            client = await stack.enter_async_context(Connection(port))
            await client.request()
            await client.head()
            assert frame(0) == await client.chunk()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.chunk()
    assert (0, 0, ["cancelled"]) == (log.readers, app.running, app.endings)


async def test_translates_into_another_dialect() -> None:
    """Frames and trailer pass through `translate` whole, in order and once; where nothing is left, nothing is written."""
    seen: list[bytes] = []

    def data_alone(whole: Iterable[bytes]) -> bytes:
        parts = list(whole)
        seen.extend(parts)
        return b"".join(part.partition(b"\n")[2] for part in parts if part.startswith(b"id: "))

    log = MemoryLog()
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
    log, marks = MemoryLog(), HopMarks("saas_api")
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
        record = marks.to_dict()
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
    log = MemoryLog()
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

    async with Spy(MemoryLog()).reader() as client:
        await client.head()
    assert [1] == [bool(option) for option in options]
