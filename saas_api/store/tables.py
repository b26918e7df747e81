"""The tables. Money is integers in millionths of a dollar; times are UTC, in seconds since the epoch."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
)

from storage.columns import Line, Words

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

teams = Table(
    "teams",
    metadata,
    Column("team_id", Line(64), primary_key=True),
    Column("name", Line(200), nullable=False),
    Column("model_groups", JSON),  # the names it may use; null: all
    Column("created_at", Double, nullable=False),
)

virtual_keys = Table(
    "virtual_keys",
    metadata,
    Column("key_id", Line(64), primary_key=True),
    Column("team_id", ForeignKey(teams.c.team_id), nullable=False, index=True),
    Column("name", Line(200)),
    Column("key_hash", Line(64), nullable=False, unique=True),  # HMAC-SHA256 of the key with the pepper, hexadecimal
    Column("prefix", Line(16), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
)

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", Line(64), primary_key=True),
    Column("team_id", ForeignKey(teams.c.team_id), nullable=False),
    Column("job_type", Line(200), nullable=False),
    Column("user_id", Line(200)),
    Column("metadata", JSON, nullable=False),
    Column("status", Line(16), nullable=False),
    Column("error_message", Words),
    Column("idempotency_key", Line(200)),
    Column("created_at", Double, nullable=False),
    Column("finished_at", Double),
    UniqueConstraint("team_id", "idempotency_key"),
    Index(None, "team_id", "created_at"),
)

calls = Table(
    "calls",
    metadata,
    Column("call_id", Line(64), primary_key=True),
    Column("job_id", ForeignKey(jobs.c.job_id), nullable=False, index=True),
    Column("key_id", ForeignKey(virtual_keys.c.key_id), nullable=False),
    Column("model_group", Line(200), nullable=False),
    Column("resolved_model", Line(300), nullable=False),
    Column("purpose", Line(200)),
    Column("streamed", Boolean, nullable=False),
    Column("owns_job", Boolean, nullable=False),  # the job was made for this call and ends with it
    Column("status", Line(16), nullable=False),
    Column("error_code", Line(40)),
    Column("finish_reason", Line(40)),
    Column("prompt_tokens", Integer, nullable=False),  # the estimate until the call is settled
    Column("completion_tokens", Integer, nullable=False),  # the last checkpoint until the call is settled
    Column("estimated", Boolean, nullable=False),
    Column("cost_micro_usd", BigInteger, nullable=False),
    Column("attempts", JSON, nullable=False),  # a list of `wire.records.Attempt`, empty until the call is settled
    Column("message", JSON),  # the answer, kept for those who come after the stream has expired
    Column("created_at", Double, nullable=False),
    Column("finished_at", Double),
    Column("lease_until", Double, nullable=False),
    Index(None, "status", "lease_until"),
)
