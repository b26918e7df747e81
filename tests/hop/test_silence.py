"""`hop.response`: silence is bounded, before a body has begun and within it."""

from __future__ import annotations

import asyncio
import time

import pytest

from hop.response import PeerSilent
from tests.hop.lanes import Lane
from tests.hop.test_responses import Kept, begun
from tests.support.scripted import CHUNKED, LAST_CHUNK, Peer, chunk, upstream


class TestSilence:
    """How long silence may last."""

    async def test_before_the_head(self, client: Lane) -> None:
        """A server that takes the request and says nothing is given up after `patience_s`, and sees it."""
        async with upstream() as server:
            begin = time.monotonic()
            with pytest.raises(PeerSilent, match=r"0\.1 s"):
                await client.request("GET", server.url, {}, patience_s=0.1)
            assert 0.09 <= time.monotonic() - begin < 1
            await (await server.peer()).gone()

    @pytest.mark.parametrize(
        ("first_s", "idle_s", "sent", "least", "most"),
        [
            pytest.param(0.1, 30, False, 0.09, 1, id="first"),
            pytest.param(0.3, 0.02, False, 0.29, 1, id="the first may be later than the others"),
            pytest.param(0.1, 0.1, True, 0.09, 1, id="idle"),
            pytest.param(30, 0.1, True, 0.09, 1, id="idle counts as soon as there was a first"),
        ],
    )
    async def test_in_the_body(self, client: Lane, first_s: float, idle_s: float, sent: bool, least: float, most: float) -> None:
        """`first_s` bounds the silence before the body, `idle_s` that within it; the socket is closed."""
        async with upstream() as server:
            asking = asyncio.create_task(begun(client, server.url))
            peer = await server.peer()
            await peer.send(CHUNKED)
            response = await asking
            response.limit_silence(first_s, idle_s)
            following = asyncio.create_task(response.follow(Kept()))
            begin = time.monotonic()
            if sent:
                await asyncio.sleep(0.02)
                await peer.send(chunk(b"a"))
            with pytest.raises(PeerSilent):
                await following
            assert least <= time.monotonic() - begin < most
            await peer.gone()

    @pytest.mark.parametrize("begins_with", [b"b", b"-"], ids=["begun", "not begun"])
    async def test_what_does_not_begin_the_body_does_not_count(self, client: Lane, begins_with: bytes) -> None:
        """If the owner says when the body has begun, bytes before that do not end the wait for it; then the other limit holds."""
        async with upstream() as server:
            asking = asyncio.create_task(begun(client, server.url))
            peer = await server.peer()
            await peer.send(CHUNKED)
            response, sink = await asking, Kept()
            response.limit_silence(1.5, 0.1, lambda: b"b" in sink.pieces)
            following = asyncio.create_task(response.follow(sink))
            begin = time.monotonic()
            for piece in (b"-", b"-", begins_with):
                await peer.send(chunk(piece))
                await asyncio.sleep(0.03)
            with pytest.raises(PeerSilent):
                await following
            taken = time.monotonic() - begin
        assert 1.49 <= taken < 3 if begins_with == b"-" else 0.15 <= taken < 1.4

    async def test_a_body_that_goes_on_is_not_silent(self, client: Lane) -> None:
        """However long it takes as a whole."""

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(CHUNKED)
            for _ in range(15):
                await asyncio.sleep(0.04)
                await peer.send(chunk(b"a"))
            await peer.send(LAST_CHUNK)

        async with upstream(script) as server:
            response, sink = await begun(client, server.url), Kept()
            response.limit_silence(0.4, 0.4)
            await response.follow(sink)
        assert b"a" * 15 == b"".join(sink.pieces)
