"""Records sessions, so that those that nobody comes back to can be removed with what they hold."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("returned", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("used_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
    )
    op.create_index("ix_sessions_returned_sessions_used_at", "sessions", ["returned", "used_at"])
    op.create_index("ix_turns_session_id", "turns", ["session_id"])
    # Nobody knows which of them came back, so all count as if they had.
    op.execute(
        "INSERT INTO sessions (id, returned, created_at, used_at)"
        " SELECT session_id, true, min(created_at), max(created_at) FROM turns GROUP BY session_id"
    )


def downgrade() -> None:
    op.drop_index("ix_turns_session_id", "turns")
    op.drop_table("sessions")
