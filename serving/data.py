"""Settings of the servers that keep something: the data directory, and the secrets in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator

from serving import credentials
from serving.settings import ServerSettings, StartRefused


def _of_this_user(path: Path) -> Path:
    """The path, a `~` at its beginning replaced by a home: in a file `.env` no shell has done it."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f"{path} is in the home of nobody known here") from None


class _DataDir(ServerSettings):
    """Read before everything else, because the credentials file lies in it."""

    data_dir: Annotated[Path, AfterValidator(_of_this_user)] = Path("data")


class DataSettings(_DataDir):
    """What such a server reads: environment variables first, then `credentials.env` in the data directory."""

    @classmethod
    def _read(cls) -> Self:
        """Writes the credentials that are missing."""
        try:
            path = credentials.ensure(_DataDir().data_dir)
        except credentials.CredentialsUnusable as error:
            raise StartRefused("DATA_DIR", str(error)) from None
        return cls(_env_file=path, _env_file_encoding=credentials.ENCODING)
