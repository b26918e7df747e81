"""Both lanes: requests as they are written, and the connections that carry them: used again, closed, never mixed up."""

from __future__ import annotations

import asyncio

import pytest

from hop.connections import Client
from hop.response import ConnectFailed, ConnectionLost, PeerUnintelligible
from tests.hop.lanes import Lane, ask, echo, has_no_connection
from tests.support.ports import free_port
from tests.support.scripted import CHUNKED, Peer, answer, chunk, upstream
from tests.support.served import until


class TestRequests:
    """What goes over the wire."""

    async def test_is_written_as_it_was_asked_for(self, direct: Client) -> None:
        """Method, path with query, Host, the caller's headers, the body's length and the body; nothing else on our own connection."""
        async with upstream() as server:
            asking = asyncio.create_task(direct.request("POST", f"{server.url}/a/b?c=d", {"X-Request-Id": "r1"}, b"{}"))
            peer = await server.peer()
            request = await peer.request()
            asking.cancel()
        host = server.url.removeprefix("http://").encode()
        assert b"POST /a/b?c=d HTTP/1.1\r\nHost: %b\r\nX-Request-Id: r1\r\nContent-Length: 2\r\n\r\n{}" % host == request

    async def test_carries_what_was_asked_for(self, client: Lane) -> None:
        """The same holds whatever else a library adds. A user and password in the address are not sent."""
        async with upstream() as server:
            url = server.url.replace("http://", "http://someone:secret@")
            asking = asyncio.create_task(client.request("POST", f"{url}/a/b?c=d", {"X-Request-Id": "r1"}, b"{}"))
            head, _, body = (await (await server.peer()).request()).partition(b"\r\n\r\n")
            asking.cancel()
        first, *fields = head.split(b"\r\n")
        assert (b"POST /a/b?c=d HTTP/1.1", b"{}") == (first, body)
        assert {b"Host: %b" % server.url.removeprefix("http://").encode(), b"X-Request-Id: r1", b"Content-Length: 2"} <= set(fields)
        assert b"authorization" not in head.lower()

    async def test_an_address_may_have_no_path(self, client: Lane) -> None:
        """The path is then the root; a GET without a body has no length."""
        async with upstream() as server:
            asking = asyncio.create_task(client.request("GET", server.url, {}))
            request = await (await server.peer()).request()
            asking.cancel()
        assert request.startswith(b"GET / HTTP/1.1\r\n")
        assert b"Content-Length" not in request

    @pytest.mark.parametrize("headers", [{"X": "a\r\nY: b"}, {"X": "a\nY"}, {"X\r\nY": "a"}, {"X": "a\rb"}, {"X": "a\0"}, {"X": "\u20ac"}])
    async def test_a_header_with_a_line_end_is_refused(self, client: Lane, headers: dict[str, str]) -> None:
        """A header's value cannot add a second header, or a second request: nothing is sent."""
        async with upstream() as server:
            with pytest.raises(ValueError):
                await client.request("GET", server.url, headers)
            assert [] == server.peers

    @pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "127.0.0.1:80", "http:///x", "http://127.0.0.1:port/"])
    async def test_what_is_no_address_is_refused(self, client: Lane, url: str) -> None:
        """A malformed address is the caller's mistake and not the network's."""
        with pytest.raises(ValueError):
            await client.request("GET", url, {})


class TestReuse:
    """One connection, one exchange after the other."""

    async def test_a_connection_is_used_again(self, client: Lane) -> None:
        """Requests one after the other share one connection."""
        async with upstream(echo) as server:
            assert [b"1", b"2", b"3"] == [await ask(client, server.url, body) for body in (b"1", b"2", b"3")]
            assert 1 == len(server.peers)

    async def test_a_server_may_ask_for_its_close(self, client: Lane) -> None:
        """After `Connection: close` the connection is closed, and the next request has one of its own."""

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(answer(b"last", b"Connection: close"))
            await peer.gone()

        async with upstream(script) as server:
            assert [b"last"] * 2 == [await ask(client, server.url) for _ in range(2)]
            assert 2 == len(server.peers)

    async def test_an_idle_connection_is_closed_after_a_while(self) -> None:
        """It waits for `keep_alive_s` after its last exchange, and no longer. (httpx2 closes it at its next request.)"""
        client = Client(keep_alive_s=0.3)
        async with upstream(echo) as server:
            for _ in range(4):
                await ask(client, server.url)
                await asyncio.sleep(0.1)
            assert 1 == len(server.peers)
            await until(lambda: not client._open, within=1)
            await ask(client, server.url)
            assert 2 == len(server.peers)
        await client.aclose()

    async def test_a_connection_that_the_server_closed_is_not_used(self, client: Lane) -> None:
        """A new one is made, and the request is not lost."""
        async with upstream(echo) as server:
            await ask(client, server.url)
            server.peers[0].cut()
            await until(lambda: has_no_connection(client))
            assert b"again" == await ask(client, server.url, b"again")
            assert 2 == len(server.peers)

    async def test_a_server_that_speaks_unasked_is_left(self, client: Lane) -> None:
        """Bytes between two exchanges are nobody's answer: the connection is closed, and the next exchange does not get them."""
        async with upstream(echo) as server:
            await ask(client, server.url)
            await server.peers[0].send(answer(b"poison"))
            await until(lambda: has_no_connection(client))
            assert b"clean" == await ask(client, server.url, b"clean")
            assert 2 == len(server.peers)

    async def test_exchanges_at_once_do_not_mix(self, client: Lane) -> None:
        """Each of many callers gets its own answer, over and over, while connections go from hand to hand.

        Several answers come in one turn of the loop, so a caller may take a connection whose last user has not woken up yet.
        """
        together = asyncio.Barrier(10)

        async def script(peer: Peer) -> None:
            while True:
                request = await peer.request()
                await together.wait()
                await peer.send(answer(request.rpartition(b"\r\n")[2]))

        async def caller(name: int) -> list[bytes]:
            return [await ask(client, server.url, b"%d %d" % (name, index)) for index in range(30)]

        async with upstream(script) as server:
            async with asyncio.timeout(10):
                answers = await asyncio.gather(*(caller(name) for name in range(10)))
            assert 10 == len(server.peers)
        assert [[b"%d %d" % (name, index) for index in range(30)] for name in range(10)] == answers


class TestClosing:
    """Closing means closing the socket, now."""

    async def test_a_cancelled_request_closes_its_connection(self, client: Lane) -> None:
        """A server that has not answered yet sees within a moment that nobody waits any more."""
        async with upstream() as server:
            asking = asyncio.create_task(client.request("GET", server.url, {}))
            peer = await server.peer()
            await peer.request()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            await peer.gone(within=0.2)

    async def test_aclose_closes_all(self, client: Lane) -> None:
        """Whether a connection waits, is being answered or is idle: none is left, and nobody waits forever."""
        async with upstream() as server:
            idle = asyncio.create_task(ask(client, server.url))
            first = await server.peer(0)
            await first.request()
            await first.send(answer(b"done"))
            await idle
            streaming = asyncio.create_task(client.request("GET", server.url, {}))
            await first.request()
            await first.send(CHUNKED + chunk(b"a"))
            following = asyncio.create_task((await streaming).follow(lambda piece: False))
            waiting = asyncio.create_task(client.request("GET", server.url, {}))
            second = await server.peer(1)
            await second.request()
            await client.aclose()
            for task in (following, waiting):
                with pytest.raises(ConnectionLost):
                    await task
            await first.gone()
            await second.gone()
            assert has_no_connection(client)

    async def test_a_cut_before_the_head_is_told(self, client: Lane) -> None:
        """The request may have arrived, but there is no response: ConnectionLost, and not ConnectFailed."""

        async def script(peer: Peer) -> None:
            await peer.request()

        async with upstream(script) as server:
            with pytest.raises(ConnectionLost):
                await ask(client, server.url)

    @pytest.mark.parametrize("data", [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"])
    async def test_garbage_is_told(self, client: Lane, data: bytes) -> None:
        """What is not HTTP ends the exchange and its connection."""

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(data)
            await peer.gone()

        async with upstream(script) as server:
            with pytest.raises(PeerUnintelligible):
                await ask(client, server.url)
            await until(lambda: has_no_connection(client))

    async def test_garbage_in_mid_body_is_told(self, client: Lane) -> None:
        """The same holds if the head was in order."""

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(CHUNKED + chunk(b"a"))
            await asyncio.sleep(0.02)
            await peer.send(b"not a size\r\n")
            await peer.gone()

        async with upstream(script) as server:
            with pytest.raises(PeerUnintelligible):
                await ask(client, server.url)


async def test_nobody_there_is_told(client: Lane) -> None:
    """If nothing listens, nothing was sent: ConnectFailed, which says why."""
    port = free_port()
    with pytest.raises(ConnectFailed) as refused:
        await client.request("POST", f"http://127.0.0.1:{port}/", {}, b"x")
    assert f"127.0.0.1:{port} refuses connections" == refused.value.reason


async def test_an_unknown_name_is_told(client: Lane) -> None:
    """No address, no connection. The name is one that must not exist (RFC 6761)."""
    with pytest.raises(ConnectFailed) as unknown:
        await client.request("GET", "http://nobody.invalid/", {})
    assert "the name of nobody.invalid:80 is unknown" == unknown.value.reason
