"""TLS on both lanes: whom we trust, and one sentence for each way in which there is no connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hop.door import Door, Transport, Way
from hop.response import ConnectFailed, ConnectionLost, PeerSilent
from hop.tls import check_ca_file
from tests.support.certificates import Certificates, make_certificates
from tests.support.ports import free_port
from tests.support.scripted import CHUNKED, Peer, answer, chunk, upstream

LANES: tuple[Transport, ...] = ("direct", "httpx2")


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    """A door in an environment without proxies."""
    async with Door(environ={}) as door:
        yield door


async def echo(peer: Peer) -> None:
    """Answers each request with the last line of itself."""
    while True:
        request = await peer.request()
        await peer.send(answer(request.rpartition(b"\r\n")[2]))


async def ask(door: Door, url: str, way: Way, body: bytes = b"x") -> bytes:
    """The answer's body."""
    return await (await door.request("POST", url, {}, body, patience_s=5, way=way)).read_all(100)


async def reason(door: Door, url: str, way: Way) -> str:
    """Why there is no connection."""
    with pytest.raises(ConnectFailed) as failed:
        await door.request("GET", url, {}, patience_s=15, way=way)
    return failed.value.reason


@pytest.mark.parametrize("lane", LANES)
class TestTrust:
    """A certificate counts if somebody that we trust vouches for it."""

    async def test_the_machines_authorities(
        self, door: Door, lane: Transport, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`SSL_CERT_FILE` counts. A server is asked again on the same connection, and a silent one is left."""
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca))
        async with upstream(echo, tls=certificates.server_context()) as server:
            assert [b"1", b"2"] == [await ask(door, server.url, Way(lane), body) for body in (b"1", b"2")]
            assert 1 == len(server.peers)
        async with upstream(Peer.gone, tls=certificates.server_context()) as server:
            with pytest.raises(PeerSilent):
                await door.request("GET", server.url, {}, patience_s=0.2, way=Way(lane))

    async def test_a_folder_of_authorities(
        self, door: Door, lane: Transport, certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`SSL_CERT_DIR` counts: a folder of certificates, each under the hash of its name."""
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
        hashed = await asyncio.create_subprocess_exec(
            "openssl", "x509", "-noout", "-hash", "-in", str(certificates.ca), stdout=asyncio.subprocess.PIPE
        )
        name = (await hashed.communicate())[0].decode().strip()
        (tmp_path / f"{name}.0").write_bytes(certificates.ca.read_bytes())
        async with upstream(echo, tls=certificates.server_context()) as server:
            assert b"x" == await ask(door, server.url, Way(lane))

    async def test_a_file_besides_them(
        self, door: Door, lane: Transport, certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`ca_file` adds to what the machine trusts, and takes nothing away."""
        others = make_certificates(tmp_path / "others")
        monkeypatch.setenv("SSL_CERT_FILE", str(others.ca))
        way = Way(lane, str(certificates.ca))
        for known in (certificates, others):
            async with upstream(echo, tls=known.server_context()) as server:
                assert b"x" == await ask(door, server.url, way)

    async def test_a_file_counts_for_its_own_requests_alone(self, door: Door, lane: Transport, certificates: Certificates) -> None:
        """A connection that one request may use because of its `ca_file` is not another's."""
        async with upstream(echo, tls=certificates.server_context()) as server:
            assert b"x" == await ask(door, server.url, Way(lane, str(certificates.ca)))
            assert "is not trusted" in await reason(door, server.url, Way(lane))

    async def test_streaming_cut_and_cancelling(self, door: Door, lane: Transport, certificates: Certificates) -> None:
        """Each piece arrives before the next one is sent; a cut is ConnectionLost; leaving closes the socket at once."""
        way = Way(lane, str(certificates.ca))
        async with upstream(tls=certificates.server_context()) as server:
            for number, cut in enumerate((True, False)):
                asking = asyncio.create_task(door.request("GET", server.url, {}, patience_s=5, way=way))
                peer = await server.peer(number)
                await peer.send(CHUNKED)
                response = await asking
                for index in range(5):
                    await peer.send(chunk(b"%d" % index))
                    assert b"%d" % index == await response.read()
                reading = asyncio.create_task(response.read())
                await asyncio.sleep(0)
                if cut:
                    peer.cut()
                    with pytest.raises(ConnectionLost):
                        await reading
                else:
                    reading.cancel()
                    response.close()
                    await peer.gone(within=0.2)


@pytest.mark.parametrize("lane", LANES)
class TestReasons:
    """Each way of having no connection has its sentence."""

    async def test_a_strangers_certificate(self, door: Door, lane: Transport, certificates: Certificates) -> None:
        """OpenSSL's own words say what is wrong with it."""
        async with upstream(echo, tls=certificates.server_context()) as server:
            expected = f"the certificate of {server.url[8:]} is not trusted: unable to get local issuer certificate"
            assert expected == await reason(door, server.url, Way(lane))

    async def test_a_certificate_of_another_name(self, door: Door, lane: Transport, tmp_path: Path) -> None:
        """A trusted authority's certificate for someone else is no proof."""
        others = make_certificates(tmp_path, "DNS:elsewhere.test")
        async with upstream(echo, tls=others.server_context()) as server:
            said = await reason(door, server.url, Way(lane, str(others.ca)))
        assert said.startswith(f"the certificate of {server.url[8:]} is not trusted: IP address mismatch")

    async def test_no_tls_at_all(self, door: Door, lane: Transport) -> None:
        """A server of plain HTTP that is asked as if it spoke TLS."""

        async def script(peer: Peer) -> None:
            await peer.send(answer(b"what is this?"))

        async with upstream(script) as server:
            said = await reason(door, server.url.replace("http", "https"), Way(lane))
        assert said.startswith(f"{server.url[7:]} does not speak TLS with us: ")

    async def test_a_server_that_hangs_up(self, door: Door, lane: Transport) -> None:
        """The connection ends in the middle of the handshake."""

        async def script(peer: Peer) -> None:
            peer.cut()

        async with upstream(script) as server:
            assert f"{server.url[7:]} closed the connection before it was there" == await reason(
                door, server.url.replace("http", "https"), Way(lane)
            )

    async def test_nobody_there(self, door: Door, lane: Transport) -> None:
        """A name that nobody has, and a port on which nobody listens: no user and no password in either sentence."""
        port = free_port()
        assert "the name of nobody.invalid:443 is unknown" == await reason(door, "https://me:secret@nobody.invalid/", Way(lane))
        assert f"127.0.0.1:{port} refuses connections" == await reason(door, f"https://me:secret@127.0.0.1:{port}/", Way(lane))


class TestCaFile:
    """A file of authorities is checked before it is needed."""

    def test_one_that_is_in_order(self, certificates: Certificates) -> None:
        """PEM certificates are accepted without a word."""
        check_ca_file(certificates.ca)

    def test_one_that_is_not_there(self, tmp_path: Path) -> None:
        """The sentence has the operating system's reason."""
        with pytest.raises(ValueError, match=r"the file .*none\.pem cannot be read: No such file or directory"):
            check_ca_file(tmp_path / "none.pem")

    @pytest.mark.parametrize("content", ["", "not a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
    def test_one_that_is_something_else(self, tmp_path: Path, content: str) -> None:
        """An empty or a broken file is refused, and not read as trust in nobody."""
        (tmp_path / "ca.pem").write_text(content)
        with pytest.raises(ValueError, match=r"holds no certificates in PEM form"):
            check_ca_file(tmp_path / "ca.pem")

    @pytest.mark.parametrize("lane", LANES)
    async def test_a_request_with_one_that_is_not_there(self, door: Door, lane: Transport, tmp_path: Path) -> None:
        """It is a mistake in the settings, and not the network's."""
        with pytest.raises(ValueError, match="cannot be read"):
            await door.request("GET", "https://127.0.0.1/", {}, way=Way(lane, str(tmp_path / "none.pem")))
