"""Both lanes: a connection that is kept, and one that the peer closes just as the next request is written to it."""

from __future__ import annotations

import asyncio
import gc
import socket

import httpx2
import pytest

from hop.connections import Client
from hop.library import LibraryClient, library_client
from hop.response import ConnectionLost
from tests.hop.lanes import Lane, ask, echo, idle_socket
from tests.support.certificates import Certificates
from tests.support.scripted import CHUNKED, Peer, answer, upstream
from tests.support.served import until


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("reset", [True, False])
async def test_the_request_is_sent_on_a_new_connection(client: Lane, method: str, reset: bool) -> None:
    """Whatever the method, whether the peer resets the connection or ends it, and as often as it happens to a new request."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(b"ok"))
        await peer.request()
        if reset:
            peer.cut()

    async with upstream(script) as server:
        for _ in range(3):
            response = await client.request(method, server.url, {}, b"x", patience_s=5)
            assert b"ok" == await response.read_all(10)
        assert 3 == len(server.peers)


async def test_so_is_one_that_met_the_close_on_its_way(client: Lane) -> None:
    """The peer has closed already, and the client's event loop has not heard of it yet."""
    async with upstream(echo) as server:
        await ask(client, server.url)
        server.peers[0].cut()
        await asyncio.sleep(0)
        assert b"again" == await ask(client, server.url, b"again")
        assert 2 == len(server.peers)


async def test_over_tls_too(certificates: Certificates) -> None:
    """The end of a TLS connection is no other end."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(b"ok"))
        await peer.request()

    for lane in (Client(ca_file=str(certificates.ca)), library_client(ca_file=str(certificates.ca))):
        async with upstream(script, tls=certificates.server_context()) as server:
            assert [b"ok"] * 2 == [await ask(lane, server.url) for _ in range(2)]
            await lane.aclose()


async def test_not_twice(client: Lane) -> None:
    """If the new connection ends in the same way, that is told, even if others are kept: two requests have been sent, not more."""
    requests: list[bytes] = []
    together = asyncio.Barrier(3)

    async def script(peer: Peer) -> None:
        first = await peer.request()
        if first.endswith(b"doomed"):
            requests.append(first)
            return
        await together.wait()
        await peer.send(answer(b"ok"))
        requests.append(await peer.request())

    async with upstream(script) as server:
        await asyncio.gather(*(ask(client, server.url) for _ in range(3)))
        with pytest.raises(ConnectionLost):
            await ask(client, server.url, b"doomed")
        assert (2, 4) == (len(requests), len(server.peers))


@pytest.mark.parametrize("beginning", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Le", CHUNKED])
async def test_not_after_a_byte_of_an_answer(client: Lane, beginning: bytes) -> None:
    """The peer has read the request: it may have done what it asks for."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(b"ok"))
        await peer.request()
        await peer.send(beginning)

    async with upstream(script) as server:
        await ask(client, server.url)
        with pytest.raises(ConnectionLost):
            await ask(client, server.url)
        assert 1 == len(server.peers)


@pytest.mark.parametrize("module", ["hop.connections", "hop.library"])
async def test_not_after_a_while(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """A peer that closes after a while, rather than a round trip, was at work on the request."""
    monkeypatch.setattr(f"{module}.CLOSE_ON_ITS_WAY_S", 0.1)
    client = Client() if module == "hop.connections" else library_client()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(b"ok"))
        await peer.request()
        await asyncio.sleep(0.3)

    async with upstream(script) as server:
        await ask(client, server.url)
        with pytest.raises(ConnectionLost):
            await ask(client, server.url)
        assert 1 == len(server.peers)
        await client.aclose()


async def test_not_if_the_client_closes(client: Lane) -> None:
    """A request that ends with its client, on a kept connection, is over."""
    async with upstream() as server:
        asking = asyncio.create_task(ask(client, server.url))
        peer = await server.peer()
        await peer.request()
        await peer.send(answer(b"ok"))
        await asking
        again = asyncio.create_task(ask(client, server.url))
        await peer.request()
        await client.aclose()
        with pytest.raises(ConnectionLost):
            await again
        assert 1 == len(server.peers)


async def test_a_client_that_was_handed_in_does_the_same() -> None:
    """The caller's own httpx2 client keeps connections too."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(b"ok"))
        await peer.request()

    async with upstream(script) as server, httpx2.AsyncClient(trust_env=False) as theirs:
        lane = LibraryClient(theirs)
        assert [b"ok"] * 2 == [await ask(lane, server.url) for _ in range(2)]
        await lane.aclose()


async def test_a_silent_connection_is_probed(client: Lane) -> None:
    """TCP's own probes keep it open while a model thinks for minutes, and end it if its peer is gone."""
    async with upstream(echo) as server:
        await ask(client, server.url)
        probed = idle_socket(client)
        assert probed.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if hasattr(socket, "TCP_KEEPIDLE"):
            assert 45 == probed.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)


async def test_a_request_that_is_sent_again_leaves_no_garbage(direct: Client) -> None:
    """The connection that was closed is gone with it, without the garbage collector."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(b"ok"))
        await peer.request()

    gc.disable()
    try:
        async with upstream(script) as server:
            for _ in range(20):
                assert b"ok" == await ask(direct, server.url)
            assert 20 == len(server.peers)
            await until(lambda: sum(type(known).__name__ == "_Connection" for known in gc.get_objects()) == 1)
    finally:
        gc.enable()
