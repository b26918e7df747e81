"""The page's templates, and the headers of every page."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

WEB = Path(__file__).parents[2] / "web"

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


class Templates:
    """Renders a template into a page's response. Every address in a template is `url(…)` of its path, which begins with `root_path`."""

    def __init__(self, root_path: str = "", web: Path = WEB) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(web / "templates"), autoescape=True, auto_reload=False, undefined=StrictUndefined, enable_async=False
        )
        self._environment.globals["url"] = lambda path: root_path + path
        self._environment.globals["version"] = self.version = _version_of(web / "static")

    def page(self, name: str, context: Mapping[str, Any], *, status: int = 200) -> HTMLResponse:
        """Returns the template as a response, with the headers of a page."""
        html = self._environment.get_template(name).render(context)
        return HTMLResponse(html, status, dict(SECURITY_HEADERS))


def _version_of(folder: Path) -> str:
    """A version that changes with any static file, so that browsers never show an outdated file from their cache."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
