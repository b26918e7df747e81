"""The gateway's death and its shutdown."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable

import pytest

from bench.script import expected_text
from tests.saas_api.conftest import Gateway
from tests.support.databases import ON_POSTGRESQL
from tests.support.server import ROOT
from tests.support.streams import content_of


async def test_a_killed_gateway_settles_what_it_left(make_gateway: Callable[..., Gateway]) -> None:
    """After kill -9 and a restart the call is interrupted, charged once from its checkpoint, and its reader is told."""
    gateway = make_gateway()
    async with gateway.stream(gateway.call("text", "400 50 0")) as stream:
        job_id, call_id = stream.headers["x-job-id"], stream.headers["x-call-id"]
        await stream.read_frames(80)  # the first checkpoint comes after about three seconds
        await asyncio.to_thread(gateway.server.kill)
        await stream.read_all()
        assert not stream.complete
        assert not stream.frames[-1].is_terminal
    for _ in range(2):
        await asyncio.to_thread(gateway.server.start)
        async with gateway.client() as client:
            async with asyncio.timeout(30 if ON_POSTGRESQL else 1):  # there the call's lease has to run out first
                while (job := (await client.get(f"/api/jobs/{job_id}")).json())["status"] == "in_progress":  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            response = await client.get(f"/api/jobs/{job_id}/calls/{call_id}/stream")
        (call,) = job["calls"]
        assert (job["status"], call["status"], call["estimated"]) == ("failed", "interrupted", True)
        assert 20 <= call["usage"]["completion_tokens"] <= 100
        usage = call["usage"]
        assert call["cost_usd"] == f"0.{usage['prompt_tokens'] + 2 * usage['completion_tokens']:06d}"
        assert (response.status_code, response.json()["error"]["code"]) == (502, "interrupted")
        await asyncio.to_thread(gateway.server.terminate)


async def test_a_shutdown_tells_its_readers(make_gateway: Callable[..., Gateway]) -> None:
    """SIGTERM waits for short answers up to the limit, and ends long ones with `shutting_down`, settled."""
    gateway = make_gateway(DRAIN_TIMEOUT_S="1.0")
    async with gateway.stream(gateway.call("text", "20 20 0")) as short, gateway.stream(gateway.call("text", "900 50 0")) as long:
        await asyncio.gather(short.read_frames(3), long.read_frames(3))
        stopping = asyncio.create_task(asyncio.to_thread(gateway.server.terminate))
        await asyncio.gather(short.read_all(), long.read_all())
        assert await stopping in (0, -signal.SIGTERM)  # uvicorn hands the signal on once it has shut down
    assert content_of(short.frames) == expected_text(20)
    assert short.frames[-1].data == "[DONE]"
    assert long.frames[-1].json()["error"]["code"] == "shutting_down"
    text = content_of(long.frames)
    assert expected_text(900).startswith(text)
    await asyncio.to_thread(gateway.server.start)
    async with gateway.client() as client:
        job = (await client.get(f"/api/jobs/{long.headers['x-job-id']}")).json()
    assert job["calls"][0]["status"] == "failed"
    assert job["calls"][0]["message"]["content"] == text


async def test_an_expired_stream_says_where_its_answer_is(make_gateway: Callable[..., Gateway]) -> None:
    """After the retention it is 410, with the address of the stored answer, which is there."""
    gateway = make_gateway(STREAM_RETENTION_S="0")
    async with gateway.stream(gateway.call()) as stream:
        await stream.read_all()
    path = f"/api/jobs/{stream.headers['x-job-id']}"
    async with gateway.client() as client:
        for _ in range(100):
            response = await client.get(f"{path}/calls/{stream.headers['x-call-id']}/stream")
            if response.status_code == 410:
                break
        assert response.json()["error"]["code"] == "stream_expired"
        assert path in response.json()["error"]["message"]
        assert (await client.get(path)).json()["calls"][0]["message"]["content"] == expected_text(20)


def test_the_credentials_of_the_first_start(gateway: Gateway) -> None:
    """They are readable by their owner alone, and hold a value for every name."""
    path = gateway.data_dir / "credentials.env"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(gateway.credentials) == {"SAAS_VIRTUAL_KEY", "SAAS_TEAM_ID", "SAAS_ADMIN_KEY", "SESSION_SECRET", "KEY_PEPPER"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SAAS_API_PORT", "http"),
        ("RESUME_GRACE_S", "-1"),
        ("SAAS_API_MODELS_FILE", "/nowhere/models.toml"),
        ("LOG_LEVEL", "loud"),
        ("DATA_DIR", "/proc/nowhere"),
        ("KEY_PEPPER", "short"),
        ("SAAS_API_DATABASE_URL", "mysql://x/y"),
    ],
)
def test_a_wrong_setting_stops_the_start(tmp_path_factory: pytest.TempPathFactory, name: str, value: str) -> None:
    """One sentence that names the variable, exit code 2, no stack trace."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "DATA_DIR": str(tmp_path_factory.mktemp("data")), name: value}
    result = subprocess.run([sys.executable, "-m", "saas_api"], env=env, capture_output=True, text=True, timeout=20, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith(f"{name}: ")
    assert result.stderr.count("\n") == 1
