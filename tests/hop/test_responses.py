"""Both lanes: a response's body reaches its consumer in the turn in which it arrives, or an error says why not."""

from __future__ import annotations

import asyncio

import pytest

from hop.connections import Client
from hop.response import ConnectionLost, PeerUnintelligible, Response
from tests.hop.lanes import Lane, has_no_connection
from tests.support.scripted import CHUNKED, LAST_CHUNK, Peer, answer, chunk, upstream
from tests.support.served import until


class Kept:
    """A sink that keeps what it gets, has enough at `last`, and notes in which task it was called."""

    def __init__(self, last: bytes | None = None) -> None:
        self.pieces: list[bytes] = []
        self.tasks: list[asyncio.Task[object] | None] = []
        self._last = last

    def __call__(self, piece: bytes) -> bool:
        self.pieces.append(piece)
        self.tasks.append(asyncio.current_task())
        return piece == self._last


async def begun(client: Lane, url: str) -> Response:
    """A response whose head is here."""
    return await client.request("GET", url, {}, patience_s=5)


class TestFollowing:
    """`follow` and its sink."""

    async def test_each_piece_is_handed_over_as_it_arrives(self, client: Lane) -> None:
        """The sink has each piece before the next one is sent. On our own connection the event loop's read calls it, and no task."""
        async with upstream() as server:
            asking = asyncio.create_task(begun(client, server.url))
            peer = await server.peer()
            await peer.request()
            await peer.send(CHUNKED)
            response = await asking
            sink = Kept()
            following = asyncio.create_task(response.follow(sink))
            await asyncio.sleep(0)
            for index in range(20):
                await peer.send(chunk(b"%d" % index))
                await until(lambda: len(sink.pieces) > index)  # noqa: B023  # it is called within this turn of the loop alone
            assert not following.done()
            await peer.send(LAST_CHUNK)
            await following
        assert [b"%d" % index for index in range(20)] == sink.pieces
        if isinstance(client, Client):
            assert {None} == set(sink.tasks)

    async def test_what_came_before_comes_first(self, client: Lane) -> None:
        """Pieces that were there before anyone followed are handed over in order, and then what follows them."""

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(CHUNKED + chunk(b"a"))
            await asyncio.sleep(0.02)
            await peer.send(chunk(b"b"))
            await asyncio.sleep(0.1)
            await peer.send(chunk(b"c") + LAST_CHUNK)

        async with upstream(script) as server:
            response = await begun(client, server.url)
            await asyncio.sleep(0.05)
            sink = Kept()
            await response.follow(sink)
        assert b"abc" == b"".join(sink.pieces)

    async def test_a_sink_that_has_enough_keeps_the_connection(self, client: Lane) -> None:
        """`follow` returns at once, the rest of the body is dropped, and the connection carries the next request."""

        async def script(peer: Peer) -> None:
            while await peer.request():
                await peer.send(CHUNKED + chunk(b"DONE"))
                await asyncio.sleep(0.05)
                await peer.send(chunk(b"more") + LAST_CHUNK)

        async with upstream(script) as server:
            for _ in range(3):
                response, sink = await begun(client, server.url), Kept(b"DONE")
                await response.follow(sink)
                response.close()
                assert [b"DONE"] == sink.pieces
                await asyncio.sleep(0.1)
            assert 1 == len(server.peers)

    async def test_who_has_enough_does_not_wait_for_the_end_for_long(self, client: Lane) -> None:
        """If the body does not end soon after, the connection is closed."""
        async with upstream() as server:
            asking = asyncio.create_task(begun(client, server.url))
            peer = await server.peer()
            await peer.send(CHUNKED + chunk(b"DONE"))
            await (await asking).follow(Kept(b"DONE"))
            await peer.gone()

    async def test_who_has_enough_does_not_care_for_a_cut(self, client: Lane) -> None:
        """A connection lost after the sink had enough is no error, even if both came before anyone followed."""
        async with upstream() as server:
            asking = asyncio.create_task(begun(client, server.url))
            peer = await server.peer()
            await peer.send(CHUNKED + chunk(b"DONE"))
            response = await asking
            await peer.end()
            await until(lambda: has_no_connection(client))
            sink = Kept(b"DONE")
            await response.follow(sink)
        assert [b"DONE"] == sink.pieces

    async def test_what_a_sink_raises_comes_out(self, client: Lane) -> None:
        """The error is the follower's, the socket is closed at once, and the sink is not called again."""
        calls: list[bytes] = []

        def sink(piece: bytes) -> bool:
            calls.append(piece)
            raise KeyError("a bug")

        async with upstream() as server:
            asking = asyncio.create_task(begun(client, server.url))
            peer = await server.peer()
            await peer.send(CHUNKED + chunk(b"a"))
            response = await asking
            await peer.send(chunk(b"b"))
            with pytest.raises(KeyError, match="a bug"):
                await response.follow(sink)
            await peer.gone()
        assert 1 == len(calls)

    async def test_a_cut_in_mid_body_is_told(self, client: Lane) -> None:
        """What came before the cut has been handed over, and then it is ConnectionLost."""

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(CHUNKED + chunk(b"a") + b"5\r\nhal")

        async with upstream(script) as server:
            response, sink = await begun(client, server.url), Kept()
            with pytest.raises(ConnectionLost):
                await response.follow(sink)
        assert b"ahal" == b"".join(sink.pieces)

    async def test_cancelling_and_closing_closes_the_socket_at_once(self, client: Lane) -> None:
        """A server that keeps silent sees within a moment that nobody follows any more."""
        async with upstream() as server:
            asking = asyncio.create_task(begun(client, server.url))
            peer = await server.peer()
            await peer.send(CHUNKED)
            response = await asking
            following = asyncio.create_task(response.follow(Kept()))
            await asyncio.sleep(0.01)
            following.cancel()
            with pytest.raises(asyncio.CancelledError):
                await following
            response.close()
            response.close()
            await peer.gone(within=0.2)


class TestReading:
    """`read` and `read_all`."""

    async def test_reads_what_is_there(self, client: Lane) -> None:
        """Each read brings what came since the last one, and nothing at the end, however often it is asked."""
        async with upstream() as server:
            asking = asyncio.create_task(begun(client, server.url))
            peer = await server.peer()
            await peer.send(CHUNKED)
            response = await asking
            for data in (b"a", b"bc"):
                await peer.send(chunk(data))
                assert data == await response.read()
            await peer.send(LAST_CHUNK)
            assert [b"", b""] == [await response.read() for _ in range(2)]

    async def test_reads_all(self, client: Lane) -> None:
        """A body with a length, however large, comes whole; so do status and headers."""
        body = bytes(range(256)) * 4096
        async with upstream(lambda peer: _answer_once(peer, answer(body, b"X-Job-Id: j1"))) as server:
            response = await begun(client, server.url)
            assert (200, "j1") == (response.status, response.headers["x-job-id"])
            assert body == await response.read_all(len(body))

    async def test_too_much_is_refused(self, client: Lane) -> None:
        """A body over the limit is an error, and the connection is closed instead of being read to its end."""
        async with upstream() as server:
            asking = asyncio.create_task(begun(client, server.url))
            peer = await server.peer()
            await peer.send(CHUNKED + chunk(b"x" * 101))
            with pytest.raises(PeerUnintelligible, match="100 bytes"):
                await (await asking).read_all(100)
            await peer.gone()

    async def test_a_body_may_end_with_its_connection(self, client: Lane) -> None:
        """Without a length and chunks, the server's close is the end."""
        async with upstream(lambda peer: _answer_once(peer, b"HTTP/1.1 200 OK\r\n\r\nall of it")) as server:
            assert b"all of it" == await (await begun(client, server.url)).read_all(100)

    async def test_our_own_close_is_not_the_bodys_end(self, client: Lane) -> None:
        """A reader of such a body is not told that it is whole when the client is closed in the middle."""
        async with upstream() as server:
            asking = asyncio.create_task(begun(client, server.url))
            await (await server.peer()).send(b"HTTP/1.1 200 OK\r\n\r\nhalf")
            response = await asking
            reading = asyncio.create_task(response.read_all(100))
            await asyncio.sleep(0.02)
            await client.aclose()
            with pytest.raises(ConnectionLost):
                await reading

    async def test_a_reset_in_mid_body_is_told(self, client: Lane) -> None:
        """What came is still read, and then it is ConnectionLost, each time."""
        async with upstream(lambda peer: _answer_once(peer, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")) as server:
            response = await begun(client, server.url)
            assert b"half" == await response.read()
            for _ in range(2):
                with pytest.raises(ConnectionLost):
                    await response.read()


async def _answer_once(peer: Peer, data: bytes) -> None:
    await peer.request()
    await peer.send(data)
