"""Whom we trust: the machine's certificate authorities, and those in a file that a deployment may add."""

from __future__ import annotations

import ssl
from pathlib import Path


def client_context(ca_file: str | None = None) -> ssl.SSLContext:
    """A context that checks the server's certificate and name.

    It trusts what the machine trusts, or what `SSL_CERT_FILE` and `SSL_CERT_DIR` name instead. (OpenSSL itself reads these from the
    process's environment.) It also trusts the authorities in `ca_file`. Raises ValueError if `ca_file` cannot be used.
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        _load(context, ca_file)
    return context


def check_ca_file(path: str | Path) -> None:
    """Raises ValueError, with a sentence, if the file holds no certificates in PEM form. Settings are checked with it at the start."""
    _load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), str(path))


def _load(context: ssl.SSLContext, path: str) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise ValueError(f"the file {path} holds no certificates in PEM form") from None
    except OSError as error:
        raise ValueError(f"the file {path} cannot be read: {error.strerror}") from None
