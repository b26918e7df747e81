"""A certificate authority of the tests' own, and a server's certificate that it signed, made by the `openssl` command."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Certificates:
    """`ca`: the authority's certificate. `server`: certificate and key of a server named localhost, 127.0.0.1 and provider.test."""

    ca: Path
    server: Path

    def server_context(self) -> ssl.SSLContext:
        """What such a server presents."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.server)
        return context


def make_certificates(folder: Path, names: str = "DNS:localhost,DNS:provider.test,IP:127.0.0.1") -> Certificates:
    """A new authority and a certificate for these names, in this folder. Skips the test where there is no `openssl`."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed; on Debian: apt-get install openssl")
    folder.mkdir(parents=True, exist_ok=True)
    ca, ca_key, server, key = (folder / name for name in ("ca.pem", "ca.key", "server.pem", "server.key"))
    usage = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    _openssl("req", "-x509", *_KEY, "-days", "2", "-subj", "/CN=A test's authority", *usage, "-keyout", str(ca_key), "-out", str(ca))
    _openssl("req", *_KEY, "-subj", "/CN=server", "-keyout", str(key), "-out", str(folder / "server.csr"))
    (folder / "extensions").write_text(f"subjectAltName={names}\n")
    signed = ("-CA", str(ca), "-CAkey", str(ca_key), "-CAcreateserial", "-extfile", str(folder / "extensions"), "-days", "2")
    _openssl("x509", "-req", "-in", str(folder / "server.csr"), *signed, "-out", str(server))
    server.write_bytes(server.read_bytes() + key.read_bytes())
    return Certificates(ca, server)


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
