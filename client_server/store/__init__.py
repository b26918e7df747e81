"""Conversations and turns in the middle tier's own database."""

from client_server.store.records import ConversationRow, TurnRow
from client_server.store.store import MIGRATIONS, ConversationBusy, Store, open_store

__all__ = ["MIGRATIONS", "ConversationBusy", "ConversationRow", "Store", "TurnRow", "open_store"]
