"""Starts the built-in model alone: `python -m demo_llm`."""

from __future__ import annotations

import sys

from demo_llm.app import create_app
from demo_llm.settings import Settings
from serving.serve import serve

GRACE_S = 3
"""A hanging fault never ends by itself, and must not hold up the end of the process."""

if __name__ == "__main__":
    sys.exit(serve("demo_llm", Settings, create_app, readers_leave_within_s=GRACE_S))
