"""Starts the gateway: `python -m saas_api`."""

from __future__ import annotations

import sys

from saas_api.app import Gateway, create_app
from saas_api.settings import Settings
from serving.serve import serve
from storage.migrations import StorageError
from storage.ownership import DatabaseTaken

if __name__ == "__main__":
    sys.exit(
        serve(
            "saas_api",
            Settings,
            create_app,
            drain=Gateway.drain,
            readers_leave_within_s=5,
            refused={DatabaseTaken: "DATA_DIR or SAAS_API_DATABASE_URL", StorageError: "SAAS_API_DATABASE_URL"},
        )
    )
