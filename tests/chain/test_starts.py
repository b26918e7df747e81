"""Where a chain's data lies: any directory will do, and it belongs to one running server of each kind."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.script import expected_text
from tests.client_server.visitor import Visitor, content_of
from tests.support import postgres
from tests.support.chain import Chain, client_server, saas_api
from tests.support.databases import url_for
from tests.support.server import Server
from tests.support.starts import refusal
from tests.support.streams import content_of as text_of

LATIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "latin-1"}
"""A terminal and a locale that know no UTF-8, in all of Python's ways."""


@pytest.mark.sqlite
async def test_a_second_start_takes_nothing_away(make_chain: Callable[..., Chain], tmp_path: Path) -> None:
    """On the same directory it is refused with its name and the other's process, while the first one's answer goes on to its end."""
    chain = await asyncio.to_thread(make_chain)
    async with Visitor.at(chain.url) as visitor:
        turn = await visitor.say("150 20 0")
        async with visitor.events(turn) as stream:
            await stream.read_frames(5)
            for server in (chain.saas_api, chain.client_server):
                said = await asyncio.to_thread(refusal, server.module, chain.data_dir)
                assert said.startswith("DATA_DIR or ")
                assert f"The directory {chain.data_dir} is in use by another running server (process {server.pid})" in said
            await stream.read_all()
        assert text_of(stream.frames) == expected_text(150)
        await visitor.until(turn, "finished")
        assert content_of((await visitor.http.get(f"/chat/turns/{turn}")).text) == expected_text(150)


@pytest.mark.sqlite
async def test_a_second_start_by_another_path(make_chain: Callable[..., Chain], tmp_path: Path) -> None:
    """It is the database that belongs to the server: neither a link nor another DATA_DIR opens it again."""
    chain = await asyncio.to_thread(make_chain)
    (tmp_path / "link").symlink_to(chain.data_dir)
    url = f"sqlite:///{chain.data_dir}/saas_api.db"
    for data_dir, env in ((tmp_path / "link", {}), (tmp_path / "other", {"SAAS_API_DATABASE_URL": url})):
        said = await asyncio.to_thread(refusal, "saas_api", data_dir, env)
        assert f"The directory {chain.data_dir} is in use" in said


@pytest.mark.sqlite
def test_a_killed_server_leaves_the_directory_free(make_chain: Callable[..., Chain]) -> None:
    """After kill -9 the next start needs no help."""
    chain = make_chain()
    for _ in range(2):
        for server in (chain.saas_api, chain.client_server):
            server.kill()
            server.start()


def test_several_workers_share_a_directory(make_chain: Callable[..., Chain], tmp_path: Path) -> None:
    """On PostgreSQL a second gateway and a second middle tier start beside the first ones."""
    if postgres.programs() is None:
        pytest.skip(postgres.MISSING)
    urls = {f"{name.upper()}_DATABASE_URL": url_for(tmp_path / name, postgresql=True) for name in ("saas_api", "client_server")}
    chain = make_chain(env=urls)
    with (
        saas_api(tmp_path / "gateway", chain.saas_api.env) as gateway,
        client_server(tmp_path / "middle", chain.client_server.env | {"SAAS_API_URL": gateway.url}) as middle,
    ):
        assert middle.request("POST", "/api/chat", {"message": "3 1 1"})[0] == 200
        assert chain.client_server.request("POST", "/api/chat", {"message": "3 1 1"})[0] == 200


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("name", "locale"),
    [
        *((name, {}) for name in ("a%20b", "a#b ?c=d&e", "file:$HOME", "100%", b"d\xe4t\xe4", "~/data")),
        *((name, LATIN) for name in ("dätä", b"d\xe4t\xe4", "100%")),
    ],
)
def test_any_directory_will_do(tmp_path: Path, name: str | bytes, locale: dict[str, str]) -> None:
    """Whatever is in its name, and whatever the machine's locale, the databases and the secrets are in it. A `~` is the user's home."""
    home = tmp_path / "home"
    home.mkdir()
    data_dir = home / "data" if name == "~/data" else tmp_path / "servers" / os.fsdecode(name)
    env = {"DATA_DIR": os.fsdecode(name), "HOME": str(home), "LOG_LEVEL": "WARNING"} | locale
    servers = [
        Server("saas_api", tmp_path / "servers", port_variable="SAAS_API_PORT", env=env),
        Server("client_server", tmp_path / "servers", port_variable="CLIENT_SERVER_PORT", env=env),
    ]
    try:
        for server in servers:
            server.launch()
        for server in servers:
            server.wait_until_healthy()
    finally:
        for server in servers:
            server.stop()
    assert {"credentials.env", "saas_api.db", "client_server.db"} <= {path.name for path in data_dir.iterdir()}
    assert [server.stderr for server in servers] == ["", ""]


@pytest.mark.sqlite
@pytest.mark.parametrize("module", ["saas_api", "client_server"])
def test_a_disk_that_has_become_full(tmp_path: Path, module: str) -> None:
    """With a database that is there, the first thing that cannot be written is the reason, and not a stack trace."""
    server = Server(module, tmp_path, port_variable=f"{module.upper()}_PORT", env={"DATA_DIR": str(tmp_path / "data")})
    server.start()
    server.stop()
    before = (tmp_path / "data" / "credentials.env").read_bytes()
    said = refusal(module, tmp_path / "data", largest_file=512)
    assert said.startswith(f"{module.upper()}_DATABASE_URL: The database ")
    assert before == (tmp_path / "data" / "credentials.env").read_bytes()
