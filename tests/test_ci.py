"""With CI=true nothing is skipped silently."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server import ROOT

SKIPPING_TEST = """
import pytest

def test_skips():
    pytest.skip("no browser here")

@pytest.mark.xfail(reason="known")
def test_is_known_to_fail():
    assert False
"""
SKIPPING_MODULE = 'import pytest\npytest.skip("no database here", allow_module_level=True)\n'


def run(folder: Path, text: str, ci: str) -> subprocess.CompletedProcess[str]:
    module = folder / "test_sample.py"
    module.write_text(text)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.conftest",
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(folder),
        str(module),
    ]
    return subprocess.run(command, cwd=ROOT, env=os.environ | {"CI": ci}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("text", "reason"), [(SKIPPING_TEST, "no browser here"), (SKIPPING_MODULE, "no database here")])
def test_a_skip_is_a_failure_in_ci(tmp_path: Path, text: str, reason: str) -> None:
    """A test or a module that skips itself fails with CI=true and shows its reason; without CI=true it is skipped."""
    outside, inside = run(tmp_path, text, "false"), run(tmp_path, text, "true")
    assert "1 skipped" in outside.stdout
    assert inside.returncode != 0
    assert f"Skipped, which is a failure with CI=true: Skipped: {reason}" in inside.stdout


def test_an_expected_failure_stays_one(tmp_path: Path) -> None:
    """A test marked as an expected failure does not count as a skip."""
    assert "1 xfailed" in run(tmp_path, SKIPPING_TEST, "true").stdout


@pytest.mark.parametrize(("ci", "status"), [("false", 0), ("true", 1)])
def test_a_run_on_postgresql_without_one(tmp_path: Path, ci: str, status: int) -> None:
    """It says in one line what is skipped and how to get it, and fails with CI=true."""
    (tmp_path / "without_postgres.py").write_text("from tests.support import postgres\npostgres.programs = lambda: None\n")
    command = [sys.executable, "-m", "pytest", "-p", "without_postgres", "-n", "0", "-p", "no:cacheprovider", "tests/storage"]
    env = os.environ | {"CI": ci, "TEST_DATABASE": "postgresql", "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert status == done.returncode
    assert "The tests on PostgreSQL are skipped: PostgreSQL is not installed" in done.stdout + done.stderr
