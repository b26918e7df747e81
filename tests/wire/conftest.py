"""Settings for the tests of `wire`: the event loop of the servers, and examples without a deadline."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests.support.loops import pytest_asyncio_loop_factories

__all__ = ["pytest_asyncio_loop_factories"]

# The time that an example takes depends only on what else the machine is doing.
settings.register_profile("wire", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("wire")
