"""Requests through a proxy: everything that holds for a direct connection, and a sentence for each refusal."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from urllib.parse import quote, urlsplit

import pytest

from hop.door import Door, Way
from hop.response import ConnectFailed, ConnectionLost
from tests.support.certificates import Certificates
from tests.support.forward_proxy import ForwardProxy, forward_proxy
from tests.support.ports import free_port
from tests.support.scripted import CHUNKED, LAST_CHUNK, Peer, Script, Upstream, answer, chunk, upstream

HOST = "provider.test"
"""A host that no name server knows: only the proxy can find it."""


def environment(proxy: str, **more: str) -> dict[str, str]:
    """An environment that names this proxy for everything."""
    return {"HTTPS_PROXY": proxy, "HTTP_PROXY": proxy} | more


async def reason(door: Door, url: str, way: Way) -> str:
    """Why there is no connection."""
    with pytest.raises(ConnectFailed) as failed:
        await door.request("GET", url, {}, patience_s=5, way=way)
    return failed.value.reason


@contextlib.asynccontextmanager
async def through_proxy(
    script: Script | None, certificates: Certificates, scheme: str, password: str | None
) -> AsyncIterator[tuple[Door, str, Way, ForwardProxy, Upstream]]:
    """A door to a provider behind a proxy: the provider's address, the way to it, the proxy and the provider itself."""
    async with upstream(script, tls=certificates.server_context() if scheme == "https" else None) as server:
        places = {f"{HOST}:443": urlsplit(server.url).port or 0, HOST: urlsplit(server.url).port or 0}
        async with forward_proxy(password=password, places=places) as proxy:
            shown = proxy.url if password is None else proxy.url.replace(password, quote(password, safe=""))
            async with Door(environ=environment(shown)) as door:
                yield door, f"{scheme}://{HOST}/v1", Way(ca_file=str(certificates.ca)), proxy, server


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("password", [None, "p:w/d"])
class TestStreams:
    """With CONNECT and in the absolute form, with a password and without."""

    @pytest.mark.timing
    async def test_arrive_chunk_by_chunk(self, certificates: Certificates, scheme: str, password: str | None) -> None:
        """Ten chunks, 30 ms apart, arrive as far apart as they were sent, and none later than that."""
        sent: list[float] = []

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(CHUNKED)
            for index in range(10):
                sent.append(time.monotonic())
                await peer.send(chunk(b"%d" % index))
                await asyncio.sleep(0.03)
            await peer.send(LAST_CHUNK)

        came: list[float] = []
        pieces: list[bytes] = []

        def sink(piece: bytes) -> bool:
            came.append(time.monotonic())
            pieces.append(piece)
            return False

        async with through_proxy(script, certificates, scheme, password) as (door, url, way, proxy, _):
            await (await door.request("GET", url, {}, patience_s=5, way=way)).follow(sink)
            assert 1 == len(proxy.asked)
        assert [b"%d" % index for index in range(10)] == pieces
        assert max(there - here for here, there in zip(sent, came, strict=True)) < 0.025

    async def test_that_are_cut_say_so(self, certificates: Certificates, scheme: str, password: str | None) -> None:
        """What came is there, and then it is ConnectionLost."""

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(CHUNKED + chunk(b"half"))

        async with through_proxy(script, certificates, scheme, password) as (door, url, way, _, _):
            response = await door.request("GET", url, {}, patience_s=5, way=way)
            assert b"half" == await response.read()
            with pytest.raises(ConnectionLost):
                await response.read()

    @pytest.mark.timing
    async def test_that_are_left_are_closed_at_once(self, certificates: Certificates, scheme: str, password: str | None) -> None:
        """The provider's own socket is closed within 50 ms, before the head as well as in the body."""
        async with through_proxy(None, certificates, scheme, password) as (door, url, way, _, server):
            for number, streaming in enumerate((False, True)):
                asking = asyncio.create_task(door.request("GET", url, {}, patience_s=5, way=way))
                peer = await server.peer(number)
                await peer.request()
                if streaming:
                    await peer.send(CHUNKED + chunk(b"a"))
                    (await asking).close()
                else:
                    asking.cancel()
                await peer.gone(within=0.05)


class TestRefusals:
    """Each refusal by a proxy is told in one sentence, without a password in it."""

    @pytest.mark.parametrize("scheme", ["https", "http"])
    async def test_a_wrong_password(self, scheme: str) -> None:
        """407, whatever form the request has."""
        async with forward_proxy(password="right") as proxy, Door(environ=environment(proxy.url.replace("right", "wrong"))) as door:
            said = await reason(door, f"{scheme}://{HOST}/", Way())
        assert f"the proxy 127.0.0.1:{proxy.port} wants another user name and password than it was given" == said

    async def test_a_host_that_it_does_not_reach(self) -> None:
        """The sentence holds the proxy's own status."""
        async with forward_proxy(places={f"{HOST}:443": free_port()}) as proxy, Door(environ=environment(proxy.url)) as door:
            said = await reason(door, f"https://{HOST}/", Way())
        assert f"the proxy 127.0.0.1:{proxy.port} answers 502 to a connection to {HOST}:443" == said

    async def test_a_proxy_that_is_not_there(self) -> None:
        """It is the proxy that refuses, and not the provider."""
        port = free_port()
        async with Door(environ=environment(f"http://user:secret@127.0.0.1:{port}")) as door:
            assert f"the proxy 127.0.0.1:{port} refuses connections" == await reason(door, f"https://{HOST}/", Way())

    async def test_a_strangers_certificate(self, certificates: Certificates) -> None:
        """A proxy in between vouches for nobody."""
        async with upstream(Peer.gone, tls=certificates.server_context()) as server:
            places = {f"{HOST}:443": urlsplit(server.url).port or 0}
            async with forward_proxy(places=places) as proxy, Door(environ=environment(proxy.url)) as door:
                said = await reason(door, f"https://{HOST}/", Way())
        assert f"the certificate of {HOST}:443 is not trusted: unable to get local issuer certificate" == said

    async def test_a_socks_proxy_without_its_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is missing is named, with the command that installs it."""
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        async with Door(environ={"ALL_PROXY": "socks5://127.0.0.1:1080"}) as door:
            said = await reason(door, f"https://{HOST}/", Way())
        assert "a SOCKS proxy needs one more package: pip install 'streaming-chat[socks]'" == said

    @pytest.mark.parametrize("proxy", ["ftp://127.0.0.1:21", "http://127.0.0.1:port", "http://"])
    async def test_what_is_no_proxy(self, proxy: str) -> None:
        """An address that cannot be one fails the requests that need it, and not the start of a server that needs none."""
        async with Door(environ={"ALL_PROXY": proxy}) as door:
            assert "is not the address of one" in await reason(door, f"https://{HOST}/", Way())


async def test_a_provider_that_no_proxy_names_is_asked_directly() -> None:
    """The proxy hears nothing of NO_PROXY's hosts, nor of the loopback interface, which need not be named."""
    async with upstream(_answer_once) as server, forward_proxy() as proxy:
        async with Door(environ=environment(proxy.url)) as door:
            for host in ("127.0.0.1", "localhost"):
                response = await door.request("GET", server.url.replace("127.0.0.1", host), {}, patience_s=5)
                assert b"here" == await response.read_all(10)
        async with Door(environ=environment(proxy.url, NO_PROXY=f"other.test,{HOST}")) as door:
            assert f"the name of {HOST}:80 is unknown" == await reason(door, f"http://{HOST}/", Way())
    assert [] == proxy.asked


async def test_two_requests_share_a_connection(certificates: Certificates) -> None:
    """A tunnel is made once, and used again."""

    async def script(peer: Peer) -> None:
        while await peer.request():
            await peer.send(answer(b"here"))

    async with through_proxy(script, certificates, "https", None) as (door, url, way, proxy, _):
        for _ in range(3):
            assert b"here" == await (await door.request("GET", url, {}, patience_s=5, way=way)).read_all(10)
    assert [f"CONNECT {HOST}:443 HTTP/1.1"] == proxy.asked


async def _answer_once(peer: Peer) -> None:
    await peer.request()
    await peer.send(answer(b"here", b"Connection: close"))
