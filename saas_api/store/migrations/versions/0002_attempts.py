"""Records a call's attempts one by one instead of their number."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("calls") as calls:
        calls.drop_column("attempts")
        calls.add_column(sa.Column("attempts", sa.JSON(), nullable=False, server_default="[]"))


def downgrade() -> None:
    with op.batch_alter_table("calls") as calls:
        calls.drop_column("attempts")
        calls.add_column(sa.Column("attempts", sa.Integer(), nullable=False, server_default="1"))
