"""Starts the gateway: `python -m saas_api`."""

from __future__ import annotations

import sys

from saas_api.app import Gateway, create_app
from saas_api.settings import Settings
from serving.serve import serve
from storage.migrations import StorageError

if __name__ == "__main__":
    sys.exit(
        serve(
            "saas_api",
            Settings,
            create_app,
            drain=Gateway.drain,
            readers_leave_within_s=5,
            refused={StorageError: "SAAS_API_DATABASE_URL"},
        )
    )
