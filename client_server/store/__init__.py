"""Conversations and turns in the middle tier's own database."""

from client_server.store.engine import create_engine, migrate
from client_server.store.records import ConversationRow, TurnRow
from client_server.store.store import ConversationBusy, Store

__all__ = ["ConversationBusy", "ConversationRow", "Store", "TurnRow", "create_engine", "migrate"]
