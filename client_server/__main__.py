"""Starts the middle tier alone: `python -m client_server`."""

from __future__ import annotations

import sys

from client_server.app import create_app
from client_server.settings import Settings
from serving.serve import serve
from storage.migrations import StorageError
from storage.ownership import DatabaseTaken

READERS_LEAVE_WITHIN_S = 1
"""After SIGTERM streams are cut, not ended: their readers resume at the next process."""
if __name__ == "__main__":
    sys.exit(
        serve(
            "client_server",
            Settings,
            create_app,
            readers_leave_within_s=READERS_LEAVE_WITHIN_S,
            refused={DatabaseTaken: "DATA_DIR or CLIENT_SERVER_DATABASE_URL", StorageError: "CLIENT_SERVER_DATABASE_URL"},
        )
    )
