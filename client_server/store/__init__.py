"""Conversations and turns in the middle tier's own database."""

from client_server.store.records import ConversationRow, RunningTurn, TurnRow, TurnTimes
from client_server.store.store import MIGRATIONS, ConversationBusy, Store, open_store

__all__ = ["MIGRATIONS", "ConversationBusy", "ConversationRow", "RunningTurn", "Store", "TurnRow", "TurnTimes", "open_store"]
