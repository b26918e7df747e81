"""The process that renders: reads one text after the other from its standard input, and writes the HTML of each to its output.

A text or its HTML goes as its length in bytes, four of them, and its UTF-8. The end of the input, which the death of the server is
too, ends this process. So does a text that takes too much time: the system sees to that, whatever the code is doing.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import BinaryIO

from client_server.rendering.markdown import Markdown

CPU_LIMIT_S = 2.0
"""Processor time that one text may take. Waiting for a busy processor does not count."""
NICENESS = 10
"""The streams go first where there is one processor for all."""


def read(source: BinaryIO) -> str | None:
    """The next text; None at the end."""
    head = source.read(4)
    return source.read(int.from_bytes(head, "big")).decode() if len(head) == 4 else None


def written(text: str) -> bytes:
    """The text as it goes through the pipe."""
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
