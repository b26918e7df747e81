"""`serving.credentials`: a disk that refuses to be read or written leaves no half of a secret, and is named."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serving.credentials import FILE_NAME, CredentialsUnusable, ensure
from tests.serving.test_credentials import COMPLETE, NAMES, values


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the names is set, whoever runs the tests."""
    for name in [name for name in os.environ if name.upper() in NAMES]:
        monkeypatch.delenv(name)


def refuse(monkeypatch: pytest.MonkeyPatch, name: str, number: int, when: Callable[..., bool] = lambda *_: True) -> None:
    """Lets a function of `os` fail with this error: the tests may run as a user whom no permission stops."""
    real = getattr(os, name)

    def failing(*args: Any) -> Any:
        if when(*args):
            raise OSError(number, os.strerror(number))
        return real(*args)

    monkeypatch.setattr(os, name, failing)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_complete_file_need_not_be_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """A mounted secret, or a directory that is read-only: the file is read, and if something is missing in it, the sentence says why
    it could not be written."""
    path = tmp_path / FILE_NAME
    path.write_text(COMPLETE)
    path.chmod(0o444)
    refuse(monkeypatch, "open", number, lambda _, flags, *__: flags & os.O_RDWR)
    refuse(monkeypatch, "fchmod", number)
    assert path == ensure(tmp_path)
    path.chmod(0o644)
    path.write_text(COMPLETE.replace("KEY_PEPPER", "OTHER"))
    why = os.strerror(number).lower()
    with pytest.raises(CredentialsUnusable) as refused:
        ensure(tmp_path)
    assert f"the secrets that {path} lacks cannot be written to it: {why}" == str(refused.value)
    monkeypatch.setenv("KEY_PEPPER", "from-the-environment")
    assert path == ensure(tmp_path)
    path.unlink()
    with pytest.raises(CredentialsUnusable) as refused:
        ensure(tmp_path)
    assert f"{path} cannot be made: {why}" == str(refused.value)


def test_a_file_that_nobody_may_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left alone, with the system's own reason."""
    path = tmp_path / FILE_NAME
    path.write_text(COMPLETE)
    refuse(monkeypatch, "open", errno.EACCES)
    with pytest.raises(CredentialsUnusable, match=f"^{path} cannot be read: permission denied; "):
        ensure(tmp_path)
    assert COMPLETE == path.read_text()


@pytest.mark.parametrize("before", ["", "SAAS_ADMIN_KEY=mine\n", "SAAS_ADMIN_KEY=mine"])
def test_a_full_disk_leaves_no_half_of_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str) -> None:
    """What was there stays as it was, and the next start writes what is missing."""
    path = tmp_path / FILE_NAME
    path.write_text(before)
    real = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:50]))
        with pytest.raises(CredentialsUnusable, match=f"the secrets that {path} lacks cannot be written to it: no space left on device"):
            ensure(tmp_path)
    assert before == path.read_text()
    ensure(tmp_path)
    assert set(NAMES) == values(path).keys()
