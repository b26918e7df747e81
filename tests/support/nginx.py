"""nginx in front of a server, as an operator would set it up: with a path prefix, and everything else as it comes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.nginx import executable
from tests.support.ports import free_port
from tests.support.server import START_TIMEOUT_S, answers

MISSING = "nginx is not installed; on Debian: apt-get install nginx-light"

_CONFIGURATION = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location {root_path}/ {{
            proxy_pass {target};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-Proto $scheme;
        }}
        location = / {{ return 200 "another program"; }}
    }}
}}
"""


@contextmanager
def in_front_of(upstream: str, folder: Path, root_path: str, *, removed: bool) -> Iterator[str]:
    """The address of an nginx that shows the server at `upstream` under the prefix. `removed`: it does not pass the prefix on."""
    binary = executable()
    if binary is None:
        raise RuntimeError(MISSING)
    folder.mkdir(parents=True)
    port = free_port()
    configuration = folder / "nginx.conf"
    target = f"{upstream}/" if removed else upstream
    configuration.write_text(_CONFIGURATION.format(folder=folder, port=port, root_path=root_path, target=target))
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen([binary, "-p", str(folder), "-c", str(configuration)], stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not answers(port, "/"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"nginx did not serve: {(folder / 'output').read_text()}")
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(START_TIMEOUT_S)
