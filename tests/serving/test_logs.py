"""`serving.logs`: one JSON object per line, whatever is logged."""

from __future__ import annotations

import calendar
import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.logs import JsonFormatter
from wire.context import request_id_var, traceparent_var

ROOT = Path(__file__).parents[2]


def line_of(message: str, *args: Any, level: int = logging.INFO, exc_info: Any = None, **extra: Any) -> str:
    """The line that a logger named `saas_api.calls` would write."""
    record = logging.getLogger("saas_api.calls").makeRecord("saas_api.calls", level, __file__, 1, message, args, exc_info, extra=extra)
    return JsonFormatter("saas_api").format(record)


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose local time is not UTC."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("far_east")
def test_a_line() -> None:
    """Time in UTC, level, service, logger, message and names; outside of a request the names are null."""
    before = time.time()
    line = json.loads(line_of("call %s took %d ms", "c1", 12, level=logging.WARNING))
    written = line.pop("time")
    assert written.endswith("Z")
    assert before == pytest.approx(calendar.timegm(time.strptime(written[:19], "%Y-%m-%dT%H:%M:%S")), abs=2)
    assert {
        "level": "WARNING",
        "service": "saas_api",
        "logger": "saas_api.calls",
        "message": "call c1 took 12 ms",
        "request_id": None,
        "traceparent": None,
    } == line


def test_a_line_has_its_requests_names() -> None:
    """What is logged while a request is served says which one."""
    tokens = request_id_var.set("r-1"), traceparent_var.set("00-a-b-01")
    try:
        line = json.loads(line_of("x"))
    finally:
        request_id_var.reset(tokens[0])
        traceparent_var.reset(tokens[1])
    assert ("r-1", "00-a-b-01") == (line["request_id"], line["traceparent"])


def test_extras_stand_beside_the_message() -> None:
    """Fields of the caller's are fields of the line; what JSON does not know is written as its text."""
    line = json.loads(line_of("x", job_id="j1", duration_ms=1.5, path=Path("/a")))
    assert ("j1", 1.5, "/a") == (line["job_id"], line["duration_ms"], line["path"])


def test_uvicorns_coloured_copy_is_left_out() -> None:
    """The same message with terminal codes is not written a second time."""
    assert "color_message" not in json.loads(line_of("x", color_message="\x1b[1mx"))


def test_an_exception_is_in_its_line() -> None:
    """A traceback does not spread over lines of its own."""
    try:
        raise RuntimeError("the reason")
    except RuntimeError:
        line = line_of("failed", exc_info=sys.exc_info())
    assert "\n" not in line
    assert "RuntimeError: the reason" in json.loads(line)["exception"]
    assert "Traceback" in json.loads(line)["exception"]


@given(message=st.text(), value=st.text())
def test_any_text_is_one_line(message: str, value: str) -> None:
    """Line ends and quotes in what is logged neither end the line nor forge a field."""
    line = line_of("%s", message, value=value)
    assert "\n" not in line
    assert "\r" not in line
    assert (message, value, "INFO") == tuple(json.loads(line)[name] for name in ("message", "value", "level"))


def test_a_process_logs_to_standard_error_alone() -> None:
    """After `configure`, every logger at or above the level writes JSON lines to standard error, and nothing to standard output."""
    program = """
import logging
from serving.logs import configure
logging.basicConfig(level="DEBUG", format="plain %(message)s")
configure("demo_llm", "info")
logging.getLogger("uvicorn.error").info("started …")
logging.getLogger("x").debug("hidden")
logging.getLogger().error("bad")
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, timeout=30)
    lines = [json.loads(line) for line in done.stderr.decode().splitlines()]
    assert [("demo_llm", "INFO", "started …"), ("demo_llm", "ERROR", "bad")] == [
        (line["service"], line["level"], line["message"]) for line in lines
    ]
    assert b"" == done.stdout


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_a_stream_in_any_encoding(encoding: str) -> None:
    """A line is JSON on a terminal of any encoding, whatever it says."""
    program = "import logging\nfrom serving import logs\nlogs.configure('test', 'INFO')\nlogging.getLogger('x').warning('caf\xe9 \u25c4')"
    written = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env={"PYTHONIOENCODING": encoding}, capture_output=True, timeout=30, check=True
    ).stderr
    assert json.loads(written)["message"] == "caf\xe9 \u25c4"
