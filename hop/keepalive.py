"""How a connection that waits long for an answer stays open, and how one without a peer is noticed: TCP's own probes.

A model may think for minutes before it sends a byte. Routers on the way forget a connection that is silent for so long (some after four
minutes), and a peer that has lost its power or its network says nothing either. Probes keep the first and find the second.
"""

from __future__ import annotations

import socket

FIRST_AFTER_S = 45
EVERY_S = 15
UNANSWERED = 4
"""After so many without an answer the connection counts as lost."""

OPTIONS: tuple[tuple[int, int, int], ...] = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (("TCP_KEEPIDLE", FIRST_AFTER_S), ("TCP_KEEPINTVL", EVERY_S), ("TCP_KEEPCNT", UNANSWERED))
        if hasattr(socket, name)
    ),
)
"""What `setsockopt` takes, on every system as much as it knows."""
