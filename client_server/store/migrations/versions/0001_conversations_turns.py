"""Conversations and turns: the first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_STREAMING = sa.text("state = 'streaming'")


def upgrade() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
    )
    op.create_index(op.f("ix_conversations_session_id_conversations_updated_at"), "conversations", ["session_id", "updated_at"])
    op.create_table(
        "turns",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("conversation_id", sa.String(length=64), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("replaced", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("streaming", sa.Boolean(), nullable=False),
        sa.Column("model_group", sa.String(length=200), nullable=False),
        sa.Column("temperature", sa.Double(), nullable=True),
        sa.Column("user_message", sa.Text(), nullable=False),
        sa.Column("request", sa.JSON(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("receipt", sa.JSON(), nullable=True),
        sa.Column("hops", sa.JSON(), nullable=True),
        sa.Column("browser_hop", sa.JSON(), nullable=True),
        sa.Column("job_id", sa.String(length=64), nullable=True),
        sa.Column("call_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=op.f("fk_turns_conversation_id_conversations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_turns")),
    )
    op.create_index(op.f("ix_turns_conversation_id_turns_position"), "turns", ["conversation_id", "position"])
    op.create_index(
        "uq_turns_conversation_id_streaming",
        "turns",
        ["conversation_id"],
        unique=True,
        sqlite_where=_STREAMING,
        postgresql_where=_STREAMING,
    )
    op.create_index("ix_turns_streaming", "turns", ["state"], sqlite_where=_STREAMING, postgresql_where=_STREAMING)


def downgrade() -> None:
    op.drop_table("turns")
    op.drop_table("conversations")
