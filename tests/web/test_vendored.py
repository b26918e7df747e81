"""What the page takes from others is exactly what VENDORED.json says."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from client_server.templating import WEB

FOLDER = WEB / "static" / "vendor"
ENTRIES: list[dict[str, Any]] = json.loads((FOLDER / "VENDORED.json").read_text())


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry["package"] for entry in ENTRIES])
def test_a_vendored_file_has_the_checksum_it_was_taken_with(entry: dict[str, Any]) -> None:
    """Nobody has edited it, and no other version has slipped in."""
    assert entry["sha256"] == hashlib.sha256((FOLDER / entry["file"]).read_bytes()).hexdigest()


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry["package"] for entry in ENTRIES])
def test_a_vendored_file_lies_beside_its_licence(entry: dict[str, Any]) -> None:
    """Both licences ask for no more than that."""
    assert (FOLDER / entry["licence_file"]).read_text().strip()


def test_nothing_else_is_vendored() -> None:
    """A file without an entry would have neither a version nor a licence."""
    listed = {"VENDORED.json"} | {entry[key] for entry in ENTRIES for key in ("file", "licence_file")}
    assert listed == {path.name for path in FOLDER.iterdir()}


def test_htmx_is_the_version_that_is_written_down() -> None:
    """htmx says its own version; a checksum alone would agree with a wrong entry."""
    version = next(entry["version"] for entry in ENTRIES if entry["package"] == "htmx.org")
    assert f'version:"{version}"' in (FOLDER / "htmx.min.js").read_text()
