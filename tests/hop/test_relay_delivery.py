"""`hop.relay`: a frame reaches the server before its append returns, and one that cannot is not lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from hop.event_stream import HttpSink
from hop.relay import relay
from tests.hop.relays import END, MIB, TRAILER, Relays, stuck
from tests.support.served import Connection, serving, until
from tests.support.streamlogs import frame, frames
from wire.log import MAX_TAKE_BYTES, StreamLog


async def test_an_append_hands_the_frame_to_the_server() -> None:
    """When `append` returns, every waiting reader's server has written the frame: no task had to wake up for it."""
    log = StreamLog()
    app = Relays(log)
    async with serving(app) as port, Connection(port) as one, Connection(port) as other:
        for client in (one, other):
            await client.request()
            await client.head()
        await until(lambda: len(app.written) == 2)  # the headers' flushes
        await asyncio.sleep(0.01)
        for index in range(20):
            log.append([frame(index)])
            assert [len(frame(index))] * 2 == app.written[-2:]
            assert 2 * (index + 2) == len(app.written)
            assert [frame(index)] * 2 == [await client.chunk() for client in (one, other)]


async def test_several_appends_in_one_turn_leave_in_order() -> None:
    """Each is a write of its own, without a turn of the relay's task in between."""
    log = StreamLog()
    app = Relays(log)
    async with app.reader() as client:
        await client.head()
        await asyncio.sleep(0.01)
        for index in range(10):
            log.append([frame(index)])
        log.end(END)
        assert [*frames(0, 10), TRAILER] == await client.chunks()


async def test_what_the_server_cannot_take_is_not_lost() -> None:
    """While the client does not read, appends return at once; when it reads again it gets everything, once, in order."""
    blocks = [bytes([index]) * MAX_TAKE_BYTES for index in range(120)]
    log = StreamLog(max_bytes=64 * MIB)
    app = Relays(log)
    async with app.reader(receive_buffer=4096) as client:
        await client.head()
        await until(lambda: len(app.written) == 1)
        await stuck(client)
        for block in blocks[:100]:
            log.append([block])
            await asyncio.sleep(0)
        assert len(app.written) < 90, "the server's send has not had to wait"
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]  # a socket's transport also reads
        received = [await client.chunk() for _ in range(50)]
        for block in blocks[100:]:
            log.append([block])
        log.end(END)
        received += await client.chunks()
    assert b"".join(blocks) + TRAILER == b"".join(received)
    assert ["returned"] == app.endings


class Slow:
    """A server whose `send` waits in the middle, or breaks, when it is told to; without a socket, since a test decides when."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.free = asyncio.Event()
        self.free.set()
        self.error: Exception | None = None

    async def receive(self) -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: Any) -> None:
        await self.free.wait()
        await asyncio.sleep(0)
        await self.free.wait()
        if self.error is not None:
            raise self.error
        if message.get("body"):
            self.bodies.append(message["body"])

    async def at_once(self, message: Any) -> None:
        if self.error is not None:
            raise self.error
        await self.free.wait()
        if message.get("body"):
            self.bodies.append(message["body"])


async def test_a_send_that_waits_several_times_is_finished_by_the_task() -> None:
    """A write that began within the append goes on in the relay's own task, however often it waits; later frames come after it."""
    log, server = StreamLog(), Slow()
    relaying = asyncio.create_task(relay(log, 0, HttpSink(server.receive, server.send, [])))
    await until(lambda: log.readers == 1)
    await asyncio.sleep(0.01)
    server.free.clear()
    for index in range(3):
        log.append([frame(index)])
    await asyncio.sleep(0.01)
    assert [] == server.bodies
    server.free.set()
    log.append([frame(3)])
    log.end(END)
    async with asyncio.timeout(5):
        await relaying
    assert [frame(0), b"".join(frames(1, 4)), TRAILER] == server.bodies


async def test_a_relay_that_is_cancelled_in_mid_send_ends() -> None:
    """The send that was begun within the append is cancelled with it, and the reader leaves the log."""
    log, server = StreamLog(), Slow()
    relaying = asyncio.create_task(relay(log, 0, HttpSink(server.receive, server.at_once, [])))
    await until(lambda: log.readers == 1)
    await asyncio.sleep(0.01)
    server.free.clear()
    log.append([frame(0)])
    await asyncio.sleep(0)
    relaying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await relaying
    assert (0, []) == (log.readers, server.bodies)


async def test_a_send_that_breaks_is_the_relays_error() -> None:
    """It is not the producer's: its append returns, and other readers have the frame."""
    log, broken, whole = StreamLog(), Slow(), Slow()
    relays = [asyncio.create_task(relay(log, 0, HttpSink(server.receive, server.at_once, []))) for server in (broken, whole)]
    await until(lambda: log.readers == 2)
    await asyncio.sleep(0.01)
    broken.error = RuntimeError("a bug")
    log.append([frame(0)])
    with pytest.raises(RuntimeError, match="a bug"):
        await relays[0]
    log.append([frame(1)])
    log.end(END)
    await relays[1]
    assert [*frames(0, 2), TRAILER] == whole.bodies
    assert 0 == log.readers


async def test_a_translation_that_breaks_is_the_relays_error() -> None:
    """It ends its own response, cut, so that the client knows; producer and other readers never hear of it."""

    def refusing(whole: Iterable[bytes]) -> bytes:
        if frame(2) in whole:
            raise KeyError("choices")
        return b"".join(whole)

    log = StreamLog()
    broken, other = Relays(log, translate=refusing), Relays(log)
    async with broken.reader() as client, other.reader() as beside:
        for connection in (client, beside):
            await connection.head()
        await asyncio.sleep(0.01)
        for index in range(5):
            log.append([frame(index)])
        assert frames(0, 2) == [await client.chunk() for _ in range(2)]
        with pytest.raises(asyncio.IncompleteReadError):
            await client.chunk()
        log.end(END)
        assert b"".join(frames(0, 5)) + TRAILER == b"".join(await beside.chunks())
        await until(lambda: log.readers == broken.running == other.running == 0)
    assert (["KeyError"], ["returned"]) == (broken.endings, other.endings)
