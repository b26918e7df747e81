"""Log lines as JSON objects, one per line, each with the request it belongs to."""

from __future__ import annotations

import codecs
import json
import logging
import sys
import time
from typing import Any

from wire.context import request_id_var, traceparent_var

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class JsonFormatter(logging.Formatter):
    """`time` (UTC, RFC 3339), `level`, `service`, `logger`, `message`, `request_id`, `traceparent`, and the record's extras.

    `ascii_only` is for a stream in another encoding than JSON's own, which is UTF-8.
    """

    def __init__(self, service: str, *, ascii_only: bool = False) -> None:
        super().__init__()
        self.service = service
        self._json = json.JSONEncoder(ensure_ascii=ascii_only, default=str)
        self._second = (0, "")

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": f"{self._to_the_second(int(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "service": self.service,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id_var.get(),
            "traceparent": traceparent_var.get(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return self._json.encode(line)

    def _to_the_second(self, second: int) -> str:
        """The time without its fraction. It is kept, because hundreds of lines share one second."""
        known, text = self._second
        if known != second:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = (second, text)
        return text


def configure(service: str, level: str) -> None:
    """Sends every logger of this process to standard error, as JSON. Called once, by a server's `__main__`.

    No line shows the caller's place, thread or process, so they are not looked up:
    https://docs.python.org/3/howto/logging.html#optimization
    """
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service, ascii_only=codecs.lookup(sys.stderr.encoding).name != "utf-8"))
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # it logs every request, and so do we
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
