"""The tables. Times are UTC, in seconds since the epoch."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Double, ForeignKey, Index, Integer, MetaData, Table, text

from storage.columns import Line, Words

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_json = JSON(none_as_null=True)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Line(64), primary_key=True),
    Column("returned", Boolean, nullable=False),  # its cookie came back with a later message
    Column("created_at", Double, nullable=False),
    Column("used_at", Double, nullable=False),  # when its last message came
    Index(None, "returned", "used_at"),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", Line(64), primary_key=True),
    Column("session_id", Line(64), nullable=False),
    Column("title", Line(200), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Index(None, "session_id", "updated_at"),
)

turns = Table(
    "turns",
    metadata,
    Column("id", Line(64), primary_key=True),
    Column("session_id", Line(64), nullable=False),
    Column("conversation_id", ForeignKey(conversations.c.id)),  # null: a turn of the API, in no conversation
    Column("position", Integer, nullable=False),  # its place in the conversation
    Column("replaced", Boolean, nullable=False),  # another turn has taken its place
    Column("state", Line(16), nullable=False),
    Column("streaming", Boolean, nullable=False),
    Column("model_group", Line(200), nullable=False),
    Column("temperature", Double),
    Column("user_message", Words, nullable=False),
    Column("request", _json),  # the gateway's request, kept until the turn has ended: a restart may have to send it again
    Column("content", Words, nullable=False),
    Column("error", _json),
    Column("receipt", _json),
    Column("hops", _json),  # upstream first
    Column("browser_hop", _json),
    Column("first_token_ms", Double),  # these columns, down to `on_screen`, are `client_server.figures`, computed once
    Column("total_ms", Double),
    Column("tokens", Integer),
    Column("tokens_per_second", Double),
    Column("cost_usd", Line(40)),
    Column("finish_reason", Line(40)),
    Column("on_screen", Boolean),  # null: there are no figures
    Column("job_id", Line(64)),
    Column("call_id", Line(64)),
    Column("created_at", Double, nullable=False),
    Column("ended_at", Double),
    Index(None, "session_id"),
    Index(None, "conversation_id", "position"),
    # One answer at a time in a conversation, even if two servers are asked at once.
    Index(
        "uq_turns_conversation_id_streaming",
        "conversation_id",
        unique=True,
        sqlite_where=text("state = 'streaming'"),
        postgresql_where=text("state = 'streaming'"),
    ),
    Index("ix_turns_streaming", "state", sqlite_where=text("state = 'streaming'"), postgresql_where=text("state = 'streaming'")),
)
