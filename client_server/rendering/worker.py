"""The rendering process: it reads texts from its standard input, one after another, and writes the HTML of each to its output.

Each text and each HTML is sent as four bytes of length and its UTF-8. The process ends when its input does, so it ends with the server.
It also ends when a text takes too much CPU time; the operating system enforces that.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import BinaryIO

from client_server.rendering.markdown import Markdown

CPU_LIMIT_S = 2.0
"""CPU seconds for one text. Waiting for a busy CPU does not count."""
NICENESS = 10
"""Lets the streams go first if there is only one CPU."""


def read(source: BinaryIO) -> str | None:
    """Reads the next text; None at the end."""
    head = source.read(4)
    return source.read(int.from_bytes(head, "big")).decode() if len(head) == 4 else None


def written(text: str) -> bytes:
    """Returns the text as it is sent through the pipe."""
    body = text.encode()
    return len(body).to_bytes(4, "big") + body


def main() -> None:
    """Renders until the input ends."""
    os.nice(NICENESS)
    markdown = Markdown()
    while (text := read(sys.stdin.buffer)) is not None:
        signal.setitimer(signal.ITIMER_PROF, CPU_LIMIT_S)  # its signal, SIGPROF, ends the process
        html = markdown.to_html(text)
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.buffer.write(written(html))
        sys.stdout.buffer.flush()
