"""Rendering makes nobody else wait, whatever the text is, and whatever happens to the process that renders it."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from client_server.rendering import process as process_module
from client_server.rendering import renderer as renderer_module
from client_server.rendering.renderer import Renderer

LONG = "a *word* or two\n" * 500


def workers() -> list[psutil.Process]:
    """The rendering processes of this process."""
    return [child for child in psutil.Process().children() if "rendering.worker" in " ".join(child.cmdline())]


def worker() -> psutil.Process:
    """The only rendering process."""
    (found,) = workers()
    return found


@pytest_asyncio.fixture
async def renderer() -> AsyncIterator[Renderer]:
    async with Renderer() as running:
        yield running


async def test_a_rendering_is_kept(renderer: Renderer) -> None:
    """The same text is rendered once."""
    assert await renderer.render(LONG) is await renderer.render(LONG)


async def test_short_texts_need_no_process(renderer: Renderer) -> None:
    """Most answers are rendered at once. The first one that is not starts the process."""
    assert "<p>a <em>word</em></p>\n" == await renderer.render("a *word*")
    assert [] == workers()
    await renderer.render(LONG)
    worker()


@pytest.mark.parametrize("text", ["[" * 900, "```python\nx = 1\n```"], ids=["dear", "coloured"])
async def test_a_short_text_that_takes_long_goes_to_the_process(renderer: Renderer, text: str) -> None:
    """The work decides, not the length."""
    assert await renderer.render(text)
    worker()


async def test_both_ways_give_the_same(renderer: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text gives the same HTML, whether it is rendered at once or in the process."""
    text = "# A\n\n- *b* <https://a.example> 😀\n\n| c |\n|---|\n| `d` |\n"
    at_once = await renderer.render(text)
    monkeypatch.setattr(renderer_module, "MAX_IN_PLACE", 0)
    async with Renderer() as other:
        assert at_once == await other.render(text)
        worker()


async def test_the_process_has_no_socket_and_no_secret(renderer: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that parses a stranger's text has nothing worth stealing."""
    monkeypatch.setenv("SAAS_VIRTUAL_KEY", "sk-secret")
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    async with server:
        await renderer.render(LONG)
        assert [] == worker().net_connections()
        assert "SAAS_VIRTUAL_KEY" not in worker().environ()


async def test_the_process_ends_with_its_owner() -> None:
    """No process is left behind."""
    async with Renderer() as renderer:
        await renderer.render(LONG)
        pid = worker().pid
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize("pause_s", [0.0, 0.2], ids=["unnoticed", "noticed"])
async def test_a_killed_process_is_replaced(renderer: Renderer, pause_s: float) -> None:
    """The next text is rendered as usual."""
    before = await renderer.render(LONG)
    worker().kill()
    await asyncio.sleep(pause_s)
    assert f"{before}<p>x</p>\n" == await renderer.render(LONG + "\nx")


async def test_a_killed_process_leaves_no_error_behind(renderer: Renderer, caplog: pytest.LogCaptureFixture) -> None:
    """What could not be written to it is nobody's error: asyncio has none to report that nobody asked for."""
    await renderer.render(LONG)
    worker().kill()
    assert await renderer.render(LONG + " more" * 50_000)
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_a_process_that_dies_at_work_is_replaced(renderer: Renderer) -> None:
    """The next process renders the text that it had."""
    await renderer.render(LONG)
    stopped = worker()
    stopped.suspend()
    rendering = asyncio.create_task(renderer.render(LONG + "\nx"))
    await asyncio.sleep(0.1)
    stopped.kill()
    assert (await rendering).endswith("<p>x</p>\n")
    assert worker().pid != stopped.pid


async def test_a_text_that_overruns_is_shown_as_it_is(renderer: Renderer) -> None:
    """Its process ends by itself, and the next text gets another one."""
    await renderer.render(LONG)
    overrunning = worker()
    overrunning.suspend()
    rendering = asyncio.create_task(renderer.render(LONG + "<b>"))
    await asyncio.sleep(0.1)
    os.kill(overrunning.pid, signal.SIGPROF)  # as the system does after two seconds of work
    overrunning.resume()
    assert f"<pre>{LONG}&lt;b&gt;</pre>" == await rendering
    assert (await renderer.render(LONG + "x")).startswith("<p>")
    assert worker().pid != overrunning.pid


async def test_nobody_waits_for_ever(renderer: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text gives up on a process that does not answer, and on waiting for a busy one."""
    monkeypatch.setattr(process_module, "PATIENCE_S", 0.3)
    await renderer.render(LONG)
    stopped = worker()
    stopped.suspend()
    shown = await asyncio.gather(renderer.render(LONG + "1"), renderer.render(LONG + "2"))
    assert [f"<pre>{LONG}1</pre>", f"<pre>{LONG}2</pre>"] == list(shown)
    assert not stopped.is_running()


async def test_a_request_that_is_given_up_does_not_shift_the_answers(renderer: Renderer) -> None:
    """The next text gets its own HTML, and not that of the text that was given up."""
    await renderer.render(LONG)
    given_up = asyncio.create_task(renderer.render("first " * 1000))
    await asyncio.sleep(0)
    given_up.cancel()
    assert (await renderer.render("second " * 1000)).startswith("<p>second")


async def test_no_process_renders_for_ever(renderer: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a number of texts the process is replaced, and memory that its libraries kept goes with it."""
    monkeypatch.setattr(process_module, "MAX_TEXTS", 2)
    pids = []
    for number in range(4):
        await renderer.render(LONG + str(number))
        pids.append(worker().pid)
    assert pids[0] == pids[1] != pids[2] == pids[3]


async def test_where_no_process_can_be_started_text_is_shown_as_it_is(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A machine that cannot start another process still shows answers."""
    monkeypatch.setattr("sys.executable", str(tmp_path / "none"))
    assert f"<pre>{LONG}</pre>" == await renderer.render(LONG)


@pytest.mark.timing
async def test_a_process_overrun_by_the_clock_ends_by_itself(renderer: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds of work end it, whatever it is doing."""
    evil = "import signal; signal.setitimer(signal.ITIMER_PROF, 2.0)\nimport re; re.match(r'(a+)+$', 'a' * 64 + 'b')"
    monkeypatch.setattr(process_module, "_START", evil)
    began = time.monotonic()
    assert f"<pre>{LONG}</pre>" == await renderer.render(LONG)
    assert 1.5 < time.monotonic() - began < 8
