"""Starting with wrong settings, and with none."""

from __future__ import annotations

from pathlib import Path

import pytest

from client_server.settings import Settings
from tests.support.chain import client_server


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLIENT_SERVER_PORT", "99999"),
        ("SAAS_API_URL", "not a url"),
        ("SAAS_API_URL", "http://127.0.0.1:99999"),
        ("SAAS_API_URL", "http://user:secret@127.0.0.1:8003"),
        ("SAAS_API_URL", "http://127.0.0.1:8003/#part"),
        ("SAAS_API_URL", "http:///api"),
        ("SAAS_API_URL", " http://127.0.0.1:8003"),
        ("SAAS_API_URL", "ftp://127.0.0.1:8003"),
        ("SAAS_VIRTUAL_KEY", "sk-secret\n"),
        ("HTTP_PROXY", "http://user:secret@:3128"),
        ("CLIENT_SERVER_DATABASE_URL", "postgresql://user:secret@127.0.0.1:port/x"),
        ("CLIENT_SERVER_DATABASE_URL", "mysql://localhost/x"),
        ("CLIENT_SERVER_DATABASE_URL", "nonsense"),
        ("CLIENT_SERVER_DATABASE_URL", "sqlite://"),
        ("RESUME_GRACE_S", "soon"),
        ("STREAM_RETENTION_S", "-1"),
        ("SESSION_SECRET", "short"),
        ("SESSION_OPEN_STREAMS", "0"),
        ("LOG_LEVEL", "loud"),
        ("ALLOWED_HOSTS", "https://chat.example.com"),
        ("ROOT_PATH", "/chat/"),
        ("MAX_BODY_BYTES", "1000000000"),
        ("BODY_MEMORY_BYTES", "20000000"),
        ("DATA_DIR", "/proc/nowhere"),
    ],
)
def test_a_wrong_value_stops_the_start_with_one_sentence(tmp_path: Path, name: str, value: str) -> None:
    """The process ends with status 2 and one line that names the variable, without a secret."""
    env = {"SAAS_API_URL": "http://gateway.test"} if name == "HTTP_PROXY" else {}
    server = client_server(tmp_path, {"DATA_DIR": str(tmp_path / "data"), **env, name: value})
    server.env = server.env | ({"CLIENT_SERVER_PORT": value} if name == "CLIENT_SERVER_PORT" else {})
    if name == "CLIENT_SERVER_PORT":
        server._port_variable = None
    server.launch()
    assert server.wait() == 2
    assert server.stderr.startswith(f"{name}: ")
    assert server.stderr.count("\n") == 1
    assert "secret" not in server.stderr


def test_a_database_that_is_none_stops_the_start(tmp_path: Path) -> None:
    """The database's error is one sentence too, after the name of its variable."""
    (tmp_path / "notes.txt").write_text("not a database, whatever its length " * 100)
    env = {"DATA_DIR": str(tmp_path / "data"), "CLIENT_SERVER_DATABASE_URL": f"sqlite:///{tmp_path}/notes.txt", "LOG_LEVEL": "ERROR"}
    server = client_server(tmp_path, env)
    server.launch()
    assert server.wait() == 2
    assert server.stderr.startswith("CLIENT_SERVER_DATABASE_URL: ")
    assert server.stderr.count("\n") == 1


def test_the_environment_wins_over_the_credentials_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets are generated once, kept, and overridden by the environment."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    for name in ("SESSION_SECRET", "SAAS_TEAM_ID", "SAAS_VIRTUAL_KEY"):
        monkeypatch.delenv(name, raising=False)
    first = Settings.load()
    assert Settings.load() == first
    monkeypatch.setenv("SAAS_TEAM_ID", "team_mine")
    again = Settings.load()
    assert again.saas_team_id == "team_mine"
    assert again.session_secret == first.session_secret


def test_secrets_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings can be logged without giving a secret away."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    settings = Settings.load()
    assert settings.saas_virtual_key.get_secret_value() not in repr(settings)


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("postgresql://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("postgresql+psycopg://h/d", "postgresql+asyncpg://h/d"),
        ("sqlite:////tmp/x.db", "sqlite:////tmp/x.db"),
    ],
)
def test_plain_database_urls_get_our_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, driver: str) -> None:
    """An operator writes the URL without a driver."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("CLIENT_SERVER_DATABASE_URL", url)
    assert Settings.load().database_url.render_as_string(hide_password=False) == driver
