"""What the servers' pages take from others is exactly what VENDORED.json says."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from client_server.rendering.templates import WEB
from serving.docs import STATIC

FOLDERS = (WEB / "static" / "vendor", STATIC / "vendor")
ENTRIES: list[tuple[Path, dict[str, Any]]] = [
    (folder, entry) for folder in FOLDERS for entry in json.loads((folder / "VENDORED.json").read_text())
]
NAMES = [entry["file"] for _, entry in ENTRIES]


@pytest.mark.parametrize(("folder", "entry"), ENTRIES, ids=NAMES)
def test_a_vendored_file_has_the_checksum_it_was_taken_with(folder: Path, entry: dict[str, Any]) -> None:
    """Nobody has edited it, and no other version has slipped in."""
    assert entry["sha256"] == hashlib.sha256((folder / entry["file"]).read_bytes()).hexdigest()


@pytest.mark.parametrize(("folder", "entry"), ENTRIES, ids=NAMES)
def test_a_vendored_file_lies_beside_its_licence(folder: Path, entry: dict[str, Any]) -> None:
    """And beside the notices that go with it: the licences ask for no more than that."""
    assert all((folder / entry[key]).read_text().strip() for key in ("licence_file", "notice_file") if key in entry)
    assert entry["licence"] != "Apache-2.0" or "notice_file" in entry


@pytest.mark.parametrize("folder", FOLDERS, ids=["page", "docs"])
def test_nothing_else_is_vendored(folder: Path) -> None:
    """A file without an entry would have neither a version nor a licence."""
    named = {entry[key] for where, entry in ENTRIES if where == folder for key in ("file", "licence_file", "notice_file") if key in entry}
    assert {"VENDORED.json"} | named == {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(("file", "said"), [("htmx.min.js", 'version:"{}"'), ("swagger-ui-bundle.js", '"{}"')])
def test_the_versions_are_those_that_are_written_down(file: str, said: str) -> None:
    """These say their own version; a checksum alone would agree with a wrong entry."""
    folder, entry = next((folder, entry) for folder, entry in ENTRIES if entry["file"] == file)
    assert said.format(entry["version"]) in (folder / file).read_text()
