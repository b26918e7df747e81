"""What is local to the tests of `storage`: the servers' own event loop, and examples without a deadline."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests.support.loops import pytest_asyncio_loop_factories

__all__ = ["pytest_asyncio_loop_factories"]

# What an example takes says something about the machine's other work alone.
settings.register_profile("storage", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("storage")
