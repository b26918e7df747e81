"""Gives the figures beside an answer columns, so that a page need not read every turn's measurements."""

import json
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from alembic import op

from client_server.figures import figures

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COLUMNS: dict[str, sa.types.TypeEngine[Any]] = {
    "first_token_ms": sa.Double(),
    "total_ms": sa.Double(),
    "tokens": sa.Integer(),
    "tokens_per_second": sa.Double(),
    "cost_usd": sa.String(length=40),
    "finish_reason": sa.String(length=40),
    "on_screen": sa.Boolean(),
}
_JSON = ("receipt", "hops", "browser_hop")


def upgrade() -> None:
    for name, kind in COLUMNS.items():
        op.add_column("turns", sa.Column(name, kind))
    _fill(op.get_bind())


def downgrade() -> None:
    for name in COLUMNS:
        op.drop_column("turns", name)


def _fill(connection: sa.Connection) -> None:
    """Computes the figures of the ended turns, one at a time, because their measurements may be large."""
    ids = connection.execute(sa.text("SELECT id FROM turns WHERE ended_at IS NOT NULL")).scalars().all()
    read = sa.text("SELECT streaming, created_at, ended_at, receipt, hops, browser_hop FROM turns WHERE id = :id")
    write = sa.text(f"UPDATE turns SET {', '.join(f'{name} = :{name}' for name in COLUMNS)} WHERE id = :id")  # noqa: S608  # our own names
    for id in ids:
        row: dict[str, Any] = dict(connection.execute(read, {"id": id}).mappings().one())
        row |= {name: json.loads(row[name]) if isinstance(row[name], str) else row[name] for name in _JSON}
        found = figures(SimpleNamespace(**row))
        if found is not None:
            connection.execute(write, {"id": id} | found.columns())
