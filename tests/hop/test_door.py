"""`hop.door`: which way a request takes, and what a client that is handed in keeps of its own."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from hop.connections import Client
from hop.door import Door, Transport, Way
from hop.library import LibraryClient
from hop.proxies import Proxies
from hop.response import ConnectionLost
from tests.support.scripted import CHUNKED, Peer, answer, chunk, upstream

PROXY = "http://proxy.test:3128"


async def echo_head(peer: Peer) -> None:
    """Answers each request with its own head, and sets a cookie."""
    while True:
        request = await peer.request()
        await peer.send(answer(request, b"Set-Cookie: kept=1; Path=/"))


async def head(door: Door, url: str, way: Way, headers: dict[str, str] | None = None) -> list[str]:
    """The lines of a request as it arrived."""
    response = await door.request("GET", url, headers or {}, patience_s=5, way=way)
    return (await response.read_all(10_000)).decode().lower().split("\r\n")


class TestProxies:
    """Which proxy the environment names."""

    @pytest.mark.parametrize(
        ("environ", "url", "expected"),
        [
            ({}, ("https", "model.test", 443), None),
            ({"HTTPS_PROXY": PROXY}, ("https", "model.test", 443), PROXY),
            ({"https_proxy": PROXY}, ("https", "model.test", 443), PROXY),
            ({"HTTPS_PROXY": PROXY}, ("http", "model.test", 80), None),
            ({"HTTP_PROXY": PROXY}, ("http", "model.test", 80), PROXY),
            ({"ALL_PROXY": PROXY}, ("https", "model.test", 443), PROXY),
            ({"all_proxy": "socks5://proxy.test"}, ("http", "model.test", 80), "socks5://proxy.test"),
            ({"ALL_PROXY": "http://other.test", "HTTPS_PROXY": PROXY}, ("https", "model.test", 443), PROXY),
            ({"HTTPS_PROXY": "proxy.test:3128"}, ("https", "model.test", 443), PROXY),
            ({"HTTPS_PROXY": "http://other.test", "https_proxy": PROXY}, ("https", "model.test", 443), PROXY),
            ({"HTTPS_PROXY": PROXY, "https_proxy": ""}, ("https", "model.test", 443), None),
            ({"HTTP_PROXY": PROXY, "REQUEST_METHOD": "GET"}, ("http", "model.test", 80), None),
            ({"http_proxy": PROXY, "REQUEST_METHOD": "GET"}, ("http", "model.test", 80), PROXY),
        ],
    )
    def test_the_variables(self, environ: dict[str, str], url: tuple[str, str, int], expected: str | None) -> None:
        """Each scheme has its own, `all` stands for both, lower case wins, and HTTP_PROXY is ignored in CGI, where it is a header's."""
        assert expected == Proxies(environ).choose(*url)

    @pytest.mark.parametrize(
        ("no_proxy", "host", "direct"),
        [
            ("model.test", "model.test", True),
            ("model.test", "api.model.test", True),
            (".model.test", "api.model.test", True),
            ("*.model.test", "api.model.test", True),
            ("Other.test, MODEL.test", "model.test", True),
            ("model.test:443", "model.test", True),
            ("model.test:80", "model.test", False),
            ("model.test", "amodel.test", False),
            ("*", "model.test", True),
            ("other.test,*", "model.test", True),
            ("", "model.test", False),
            ("10.0.0.7", "10.0.0.7", True),
            ("10.0.0.0/8", "10.1.2.3", True),
            ("10.0.0.0/8", "11.1.2.3", False),
            ("fd00::/8,10.0.0.0/99", "fd00::1", True),
            ("", "localhost", True),
            ("", "127.0.0.1", True),
            ("", "127.9.9.9", True),
            ("", "::1", True),
            ("", "10.0.0.7", False),
        ],
    )
    @pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
    def test_the_exceptions(self, name: str, no_proxy: str, host: str, direct: bool) -> None:
        """Names with all names below them, ports, addresses, networks, and always this machine."""
        chosen = Proxies({"HTTPS_PROXY": PROXY, name: no_proxy}).choose("https", host, 443)
        assert (None if direct else PROXY) == chosen


class TestChoice:
    """`auto`, `direct` and `httpx2`."""

    @pytest.mark.parametrize(
        ("transport", "environ", "kind"),
        [
            ("auto", {}, Client),
            ("auto", {"HTTPS_PROXY": PROXY}, LibraryClient),
            ("auto", {"HTTPS_PROXY": PROXY, "NO_PROXY": "model.test"}, Client),
            ("direct", {"HTTPS_PROXY": PROXY}, Client),
            ("httpx2", {}, LibraryClient),
        ],
    )
    async def test_of_the_lane(self, transport: Transport, environ: dict[str, str], kind: type) -> None:
        """Our own connection if nothing stands in between, and the same lane for the same way."""
        async with Door(environ=environ) as door:
            lanes = [door._choose(f"https://model.test/{path}", Way(transport)) for path in ("a", "b")]
        assert type(lanes[0]) is kind
        assert lanes[0] is lanes[1]

    async def test_the_environment_is_read_once(self) -> None:
        """A later change in it changes nothing for a door that exists."""
        environ: dict[str, str] = {}
        async with Door(environ=environ) as door:
            environ["HTTPS_PROXY"] = PROXY
            assert isinstance(door._choose("https://model.test/", Way()), Client)


class TestLibrary:
    """What httpx2 would do of its own accord, and must not."""

    async def test_no_cookie_is_replayed(self) -> None:
        """A cookie that an answer set is not sent again, not even by a client that was handed in; the caller's own cookie is sent."""
        async with upstream(echo_head) as server, httpx2.AsyncClient() as handed_in:
            for door, way in ((Door(environ={}), Way("httpx2")), (Door(http_client=handed_in, environ={}), Way())):
                async with door:
                    for _ in range(2):
                        assert [] == [line for line in await head(door, server.url, way) if line.startswith("cookie")]
                    assert "cookie: own=1" in await head(door, server.url, way, {"Cookie": "own=1"})

    async def test_no_coding_is_asked_for(self) -> None:
        """Compression would hold chunks back."""
        async with upstream(echo_head) as server, Door(environ={}) as door:
            assert "accept-encoding: identity" in await head(door, server.url, Way("httpx2"))

    async def test_no_redirect_is_followed(self) -> None:
        """A request with a key goes where it was sent and nowhere else."""

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(b"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")

        async with upstream(script) as server, Door(environ={}) as door:
            response = await door.request("GET", server.url, {}, patience_s=5, way=Way("httpx2"))
            assert 307 == response.status
            assert b"" == await response.read_all(10)

    async def test_requests_do_not_wait_for_each_other(self) -> None:
        """150 streams at once are 150 connections: httpx2's usual limit is 100."""
        async with upstream() as server, Door(environ={}) as door:
            asking = [asyncio.create_task(door.request("GET", server.url, {}, patience_s=10, way=Way("httpx2"))) for _ in range(150)]
            for number in range(150):
                await (await server.peer(number)).send(CHUNKED)
            assert 150 == len({await task for task in asking})

    async def test_who_does_not_read_holds_the_peer_up(self) -> None:
        """A body that nobody reads stays with its sender, is not taken for silence, and comes whole once it is read."""
        sent = 0

        async def script(peer: Peer) -> None:
            nonlocal sent
            await peer.request()
            await peer.send(CHUNKED)
            for _ in range(400):
                await peer.send(chunk(b"x" * 65_536))
                sent += 65_536
            await peer.send(b"0\r\n\r\n")

        async with upstream(script) as server, Door(environ={}) as door:
            response = await door.request("GET", server.url, {}, patience_s=5, way=Way("httpx2"))
            response.limit_silence(1, 1)
            before = -1
            while before < sent:  # until the sender stands still
                before = sent
                await asyncio.sleep(0.3)
            await asyncio.sleep(1.5)
            assert sent < 400 * 65_536
            assert response._kept < 1_000_000
            assert 400 * 65_536 == len(await response.read_all(400 * 65_536))

    async def test_a_client_that_is_handed_in_stays_open(self) -> None:
        """Its owner's headers and certificates are used. Its exchanges end with the door, but the client stays open."""
        async with upstream() as server, httpx2.AsyncClient(headers={"X-Owner": "me"}) as handed_in:
            door = Door(http_client=handed_in, environ={})
            asking = asyncio.create_task(door.request("GET", server.url, {}, patience_s=5))
            peer = await server.peer()
            assert b"X-Owner: me" in await peer.request()
            await peer.send(CHUNKED + chunk(b"a"))
            response = await asking
            assert b"a" == await response.read()
            await door.aclose()
            with pytest.raises(ConnectionLost):
                await response.read()
            await peer.gone(within=0.2)
            assert not handed_in.is_closed
