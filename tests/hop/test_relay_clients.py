"""`hop.relay`: clients that wait, leave, or do not read. A server's `send` shows as one chunk of the chunked body."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest

from tests.hop.relays import END, MIB, Relays, stuck
from tests.support.served import Connection, serving, until
from tests.support.streamlogs import frame, frames
from wire.log import MAX_TAKE_BYTES, StreamLog
from wire.sse import PING, PING_LINE, Decoder, Event, FrameSplitter


async def test_pings_after_silence() -> None:
    """While the model is silent, each silence of `ping_after_s` is broken by a comment; the log knows nothing of it."""
    log = StreamLog()
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


@pytest.mark.parametrize("size", [10, MIB], ids=["taken at once", "taken in pieces"])
async def test_a_ping_of_one_line_stands_between_frames(size: int) -> None:
    """It dispatches no event and is in no frame's way: every line after it is a frame's first, and the end comes whole."""
    log = StreamLog()
    texts = ["a" * size, "b" * size]
    async with Relays(log, ping_after_s=0.1, ping=PING_LINE, preface=PING_LINE).reader() as client:
        await client.head()
        body = await client.chunk()
        for text in texts:
            while not body.endswith(PING_LINE * 2):
                body += await client.chunk()
            log.append([f"data: {text}\n\n".encode()])
            while not body.endswith(b"\n\n" + PING_LINE * 2):
                body += await client.chunk()
        log.end(END)
        while not body.endswith(END.trailer):
            body += await client.chunk()
    splitter, decoder = FrameSplitter(), Decoder()
    frames = splitter.feed(body)
    assert body.replace(PING_LINE, b"") == b"".join(f"data: {text}\n\n".encode() for text in texts) + END.trailer
    assert [*map(Event, texts)] == [event for frame in frames[:2] for event in decoder.feed(frame)]
    assert b"" == splitter.pending


async def test_no_ping_without_silence() -> None:
    """A stream that goes on has no pings between its frames."""
    log = StreamLog()
    async with Relays(log, ping_after_s=0.8).reader() as client:
        await client.head()
        for index in range(30):
            log.append([frame(index)])
            assert frame(index) == await client.chunk()
            await asyncio.sleep(0.04)


async def test_a_client_that_leaves_while_nothing_comes_is_noticed() -> None:
    """The reader leaves the log within a moment, although there is nothing to send to it."""
    log = StreamLog()
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
    log = StreamLog()
    async with Relays(log).reader() as client:
        await client.head()
        client.writer.close()
        await until(lambda: log.readers == 0, within=2)


async def test_a_client_that_leaves_a_full_log_is_noticed() -> None:
    """With hundreds of MiB still to send, the relay ends when its client has left, instead of writing all of it into nothing.

    A `send` to a client that has left returns without suspending, so this loop must yield by itself.
    """
    block = b"x" * (MAX_TAKE_BYTES // 4)
    log = StreamLog(max_bytes=1024 * MIB)
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

    A `send` that the kernel takes at once does not suspend, so this does not happen by itself.
    """
    log = StreamLog()
    log.append([b"x" * MAX_TAKE_BYTES] * 40)
    log.end(END)
    app = Relays(log)
    async with app.reader() as client:
        await client.head()
        assert 41 == len(await client.chunks())
    of_data = app.passes[1:-1]
    assert 40 == len(of_data) == len(set(of_data))


async def test_a_client_that_stops_reading_is_let_go() -> None:
    """A client that takes nothing for `send_timeout_s` is dropped; meanwhile producer and other readers go on."""
    log = StreamLog(max_bytes=64 * MIB)
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
        await until(lambda: app.endings == ["returned"], within=3)
        assert 0.5 <= time.monotonic() - begun
        assert (1, 1) == (app.running, log.readers)


async def test_a_client_that_stops_reading_before_the_end_is_let_go() -> None:
    """The trailer is watched like the frames: a stream that has ended does not hold its last reader forever."""
    log = StreamLog(max_bytes=64 * MIB)
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
    """A stuck client is found after its own timeout, even if pings are far apart."""
    log = StreamLog(max_bytes=64 * MIB)
    app = Relays(log, ping_after_s=60, send_timeout_s=0.3)
    async with serving(app) as port, Connection(port, receive_buffer=4096) as client:
        await client.request()
        await until(lambda: log.readers == 1)
        await stuck(client)
        log.append([b"x" * MAX_TAKE_BYTES] * 80)
        await until(lambda: log.readers == 0, within=3)


async def test_an_idle_client_is_not_taken_for_a_stuck_one() -> None:
    """Silence of the model, however long, is not the reader's fault."""
    log = StreamLog()
    async with Relays(log, ping_after_s=0.4, send_timeout_s=0.1).reader() as client:
        await client.head()
        assert [PING] * 2 == [await client.chunk() for _ in range(2)]
        log.append([frame(0)])
        while (chunk := await client.chunk()) == PING:
            pass
        assert frame(0) == chunk


async def test_a_server_that_stops_cuts_its_readers() -> None:
    """A relay that is cancelled from outside leaves the log and the client sees a body without an end: it will resume."""
    log = StreamLog()
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
