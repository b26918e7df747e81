"""The fixtures for all tests: real servers that end with the test, the whole chain, and a browser.

With `CI=true` a skip is a failure, because a machine that is there to test has to have what the tests need. With
`TEST_DATABASE=postgresql` the servers' databases are on PostgreSQL, and only the tests that need one are run.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import databases, postgres
from tests.support.chain import Chain
from tests.support.provider import Provider
from tests.support.server import ROOT, STARTED

_CI = os.environ.get("CI", "").lower() == "true"
_SHOWN_CHARACTERS = 6000
_WITH_A_DATABASE = tuple(ROOT / "tests" / name for name in ("saas_api", "client_server", "saas_client", "chain"))
_written: pytest.StashKey[dict[Path, int]] = pytest.StashKey()


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """The chain with the scripted provider, shared by all tests of this process. They must not stop or reconfigure it."""
    with Chain(tmp_path_factory.mktemp("chain")) as shared:
        yield shared


@pytest.fixture(scope="session")
def demo_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """The chain with the demo model, shared likewise."""
    with Chain(tmp_path_factory.mktemp("demo-chain"), provider="demo") as shared:
        yield shared


@pytest.fixture
def make_chain(tmp_path: Path) -> Iterator[Callable[..., Chain]]:
    """Starts a chain for this test only, which it may kill and restart. The options are those of `Chain`."""
    chains: list[Chain] = []

    def make(**options: Any) -> Chain:
        chain = Chain(tmp_path / f"chain-{len(chains)}", **options)
        chains.append(chain)
        chain.start()
        return chain

    yield make
    for chain in chains:
        chain.stop()


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    """A scripted provider for this test only."""
    with Provider(tmp_path / "provider") as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of an installed Chromium, for Playwright's `executable_path`."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("Chromium is not installed; on Debian: apt-get install chromium")
    return path


def pytest_configure() -> None:
    """Ends a run on PostgreSQL at once where there is none."""
    if databases.ON_POSTGRESQL and postgres.programs() is None:
        pytest.exit(f"The tests on PostgreSQL are skipped: {postgres.MISSING}", returncode=1 if _CI else 0)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out of a run on PostgreSQL what needs no database, and what is about SQLite or a browser."""
    if not databases.ON_POSTGRESQL:
        return
    left_out = [item for item in items if not _runs_on_postgresql(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def _runs_on_postgresql(item: pytest.Item) -> bool:
    markers = {marker.name for marker in item.iter_markers()}
    return any(item.path.is_relative_to(folder) for folder in _WITH_A_DATABASE) and markers.isdisjoint({"sqlite", "browser", "timing"})


def pytest_sessionfinish() -> None:
    """Ends this process's PostgreSQL."""
    postgres.stop()


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """A database of the test's own that does not exist yet."""
    return databases.url_for(tmp_path / "test.db")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Remembers how much every server had written before this test."""
    item.stash[_written] = {server.stderr_path: len(server.stderr) for server in STARTED}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows what the servers wrote during a failed test, and with CI=true turns a skip into a failure."""
    report = yield
    if report.failed:
        before = item.stash.get(_written, {})
        for server in STARTED:
            news = server.stderr[before.get(server.stderr_path, 0) :]
            if news:
                report.sections.append((f"{server.module} on port {server.port} wrote", news[-_SHOWN_CHARACTERS:]))
    if report.skipped and _CI and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"Skipped, which is a failure with CI=true: {_reason(report.longrepr)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Does the same for a module that skips itself."""
    report = yield
    if report.skipped and _CI:
        report.outcome = "failed"
        report.longrepr = f"Skipped, which is a failure with CI=true: {_reason(report.longrepr)}"
    return report


def _reason(longrepr: object) -> str:
    return str(longrepr[2]) if isinstance(longrepr, tuple) and len(longrepr) == 3 else str(longrepr)
