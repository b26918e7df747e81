"""`make run` reads `.env` as a person wrote it, or says why it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.run import Unusable, written


@pytest.mark.parametrize(
    "held", [b"\xef\xbb\xbfHOST=::1\r\n", b"# a comment\nexport HOST='::1'\n"], ids=["a mark and CRLF", "as a shell's"]
)
def test_a_file_of_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: bytes) -> None:
    """A byte order mark does not hide the first variable of `.env`."""
    monkeypatch.setattr("scripts.run.ROOT", tmp_path)
    assert {} == written()
    (tmp_path / ".env").write_bytes(held)
    assert {"HOST": "::1"} == written()


@pytest.mark.parametrize("held", [b"# caf\xe9\nHOST=::1\n", "HOST=::1".encode("utf-16"), "HOST=::1".encode("utf-16-le"), None])
def test_a_file_of_settings_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: bytes | None) -> None:
    """The sentence names the file: settings that somebody wrote are not passed over."""
    monkeypatch.setattr("scripts.run.ROOT", tmp_path)
    path = tmp_path / ".env"
    if held is None:
        path.mkdir()
    else:
        path.write_bytes(held)
    with pytest.raises(Unusable, match=f"^{path} "):
        written()
