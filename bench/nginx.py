"""nginx as one hop that does not buffer. It shows the cost of a proxy that only passes bytes on."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from bench.processes import Process

_CONFIGURATION = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream provider {{ server 127.0.0.1:{upstream}; keepalive 1024; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://provider;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            tcp_nodelay on;
        }}
    }}
}}
"""


def executable() -> str | None:
    """The path of nginx, or None. Debian installs it in `/usr/sbin`, which may be missing from PATH."""
    return shutil.which("nginx", path=os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin")))


def hop(binary: str, folder: Path, port: int, upstream: int, prefix: list[str]) -> Process:
    """An nginx with one worker on `port`, which forwards to the server on port `upstream`."""
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder, port=port, upstream=upstream))
    return Process([*prefix, binary, "-p", str(folder), "-c", str(configuration)], folder, port)
