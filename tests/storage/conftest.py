"""What is local to the tests of `storage`: both databases, versions of tables, and the servers' own event loop."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support import postgres
from tests.support.databases import url_for
from tests.support.loops import pytest_asyncio_loop_factories

__all__ = ["pytest_asyncio_loop_factories"]

# How long an example takes depends on the machine's other work.
settings.register_profile("storage", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("storage")

FIRST = """
revision, down_revision = "0001", None

def upgrade():
    op.create_table("things", sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.Text, nullable=False))
    op.create_table("parts", sa.Column("thing", sa.Integer, sa.ForeignKey("things.id"), nullable=False))
"""
SECOND = """
revision, down_revision = "0002", "0001"

def upgrade():
    with op.batch_alter_table("things", recreate="always" if op.get_bind().dialect.name == "sqlite" else "never") as things:
        things.add_column(sa.Column("size", sa.Integer))
"""


def write_version(migrations: Path, number: str, text: str) -> None:
    """Adds a version to a folder of migrations."""
    versions = migrations / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    (versions / f"{number}_things.py").write_text("import sqlalchemy as sa\nfrom alembic import op\n" + text)


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    """A folder whose one version makes two tables, with a percent sign in its path."""
    folder = tmp_path / "100%" / "migrations"
    write_version(folder, "0001", FIRST)
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that does not exist yet, of each kind in turn."""
    on_postgresql = request.param == "postgresql"
    if on_postgresql and postgres.programs() is None:
        pytest.skip(postgres.MISSING)
    return url_for(tmp_path / "100%.db", postgresql=on_postgresql)
