"""What is local to the tests of `hop`: the servers' own event loop, examples without a deadline, and a client of each lane."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, settings

from hop.connections import Client
from tests.hop.lanes import LANES, Lane
from tests.support.certificates import Certificates, make_certificates
from tests.support.loops import pytest_asyncio_loop_factories

__all__ = ["pytest_asyncio_loop_factories"]

# How long an example takes depends on the machine's other work.
settings.register_profile("hop", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hop")


@pytest.fixture(params=LANES)
async def client(request: pytest.FixtureRequest) -> AsyncIterator[Lane]:
    """A client of the test's own, on our own connection and on httpx2."""
    client = LANES[request.param]()
    yield client
    await client.aclose()


@pytest.fixture
async def direct() -> AsyncIterator[Client]:
    """A client of the test's own on our own connection, for what only that one does."""
    client = Client()
    yield client
    await client.aclose()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority that no machine trusts, and a server's certificate from it."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))
