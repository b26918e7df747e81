"""Fixtures of the middle tier's tests: a gateway under the test's control, and a middle tier in front of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.client_server.fake_gateway import FakeGateway
from tests.client_server.visitor import Visitor
from tests.support.chain import Chain, client_server
from tests.support.server import Server


@pytest.fixture
async def gateway() -> AsyncIterator[FakeGateway]:
    """A running gateway under the test's control."""
    async with FakeGateway() as running:
        yield running


@pytest.fixture
def middle_env() -> dict[str, str]:
    """The middle tier's settings. A test may override them."""
    return {}


@pytest.fixture
async def middle(tmp_path: Path, gateway: FakeGateway, middle_env: dict[str, str]) -> AsyncIterator[Server]:
    """This test's own running middle tier, in front of the fake gateway."""
    env = {"DATA_DIR": str(tmp_path / "data"), "SAAS_API_URL": gateway.url} | middle_env
    server = client_server(tmp_path / "client_server", env)
    await asyncio.to_thread(server.start)
    yield server
    await asyncio.to_thread(server.stop)


@pytest.fixture
async def visitor(middle: Server) -> AsyncIterator[Visitor]:
    """A visitor of the middle tier in front of the fake gateway."""
    async with Visitor.at(middle.url) as someone:
        yield someone


@pytest.fixture
async def guest(chain: Chain) -> AsyncIterator[Visitor]:
    """A visitor of the shared chain, with the test's own session."""
    async with Visitor.at(chain.url) as someone:
        yield someone


@pytest.fixture
def own_chain(tmp_path: Path) -> Iterator[Chain]:
    """A chain of this test's own, which it may kill and restart."""
    with Chain(tmp_path / "chain") as running:
        yield running
