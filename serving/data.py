"""Settings of the servers that keep something: the data directory, and the secrets in it."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from serving import credentials
from serving.settings import ServerSettings, StartRefused


class _DataDir(ServerSettings):
    """Read before everything else, because the credentials file lies in it."""

    data_dir: Path = Path("data")


class DataSettings(_DataDir):
    """What such a server reads: environment variables first, then `credentials.env` in the data directory."""

    @classmethod
    def _read(cls) -> Self:
        """Writes the credentials that are missing."""
        data_dir = _DataDir().data_dir
        try:
            path = credentials.ensure(data_dir)
        except OSError as error:
            raise StartRefused("DATA_DIR", f"{error.filename or data_dir} cannot be used: {error.strerror}") from None
        return cls(_env_file=path)
