"""The gateway's tables, and the migrations that lead to them."""

from pathlib import Path

MIGRATIONS = Path(__file__).parent / "migrations"
