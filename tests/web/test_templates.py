"""The templates and static files obey the Content-Security-Policy and refer only to files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from client_server.rendering.templates import WEB
from scripts import highlight_css

TEMPLATES = sorted((WEB / "templates").glob("*.html"))
OURS = sorted(path for path in (WEB / "static").rglob("*") if path.suffix in {".js", ".css"} and path.parent.name != "vendor")
INLINE = {
    "an inline script": re.compile(r"<script(?![^>]*\bsrc=)", re.I),
    "a style element": re.compile(r"<style\b", re.I),
    "a style attribute": re.compile(r"\sstyle\s*=", re.I),
    "an event handler": re.compile(r"\s(?:on[a-z]+|hx-on[\w:-]*)\s*=", re.I),
    "a javascript: address": re.compile(r"javascript:", re.I),
    "something that htmx would evaluate": re.compile(r"[\"']js:|hx-vars", re.I),
    "unescaped output": re.compile(r"\|\s*safe\b|autoescape\s+false", re.I),
}


@pytest.mark.parametrize("template", TEMPLATES, ids=[path.name for path in TEMPLATES])
@pytest.mark.parametrize("what", INLINE)
def test_a_template_has_nothing_inline(template: Path, what: str) -> None:
    """No template has inline scripts, styles or handlers: the policy would block them, or they would be a hole."""
    assert INLINE[what].findall(template.read_text()) == []


@pytest.mark.parametrize("template", TEMPLATES, ids=[path.name for path in TEMPLATES])
def test_every_address_may_get_a_prefix(template: Path) -> None:
    """Each address in a template is made by `url`, so that a proxy may show the page under any path."""
    text = template.read_text()
    addresses = re.findall(r'\s(?:href|src|action|formaction|hx-(?:get|post|put|patch|delete)|data-[a-z]+-url)="([^"]*)', text)
    assert [address for address in addresses if not address.startswith(("{{ url(", "#"))] == []


@pytest.mark.parametrize("path", [path for path in OURS if path.suffix == ".js"], ids=lambda path: path.name)
def test_every_address_of_a_script_may_get_a_prefix(path: Path) -> None:
    """A path of the server in a script is given to `address` or to `post`, which put the prefix in front."""
    for before in re.findall(r"(.{0,12})[\"'`]/(?:c|chat|api|static)/", path.read_text()):
        assert before.endswith(("address(", "post(")), before


@pytest.mark.parametrize("path", OURS, ids=[path.name for path in OURS])
def test_a_static_file_loads_nothing_from_elsewhere(path: Path) -> None:
    """No static file loads anything from another server (the SVG namespace is a name, not an address)."""
    text = path.read_text().replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"https?://|//[a-z]+\.[a-z]+/|@import|innerHTML|insertAdjacentHTML|\beval\(|new Function", text) == []


@pytest.mark.parametrize("path", [path for path in OURS if path.suffix == ".js"], ids=lambda path: path.name)
def test_every_import_is_there(path: Path) -> None:
    """Every imported module exists, because one missing module would disable all scripts of the page."""
    for target in re.findall(r"from \"(\.[^\"]+)\"", path.read_text()):
        assert (path.parent / target).resolve().is_file(), target


def test_the_colours_of_code_are_those_of_the_script() -> None:
    """`highlight.css` is exactly the output of `scripts/highlight_css.py`."""
    assert highlight_css.render() == highlight_css.TARGET.read_text()
