"""The vendored files are exactly those that VENDORED.json lists."""

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
    """A vendored file has the recorded checksum: it was not edited, and it is not another version."""
    assert entry["sha256"] == hashlib.sha256((FOLDER / entry["file"]).read_bytes()).hexdigest()


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry["package"] for entry in ENTRIES])
def test_a_vendored_file_lies_beside_its_licence(entry: dict[str, Any]) -> None:
    """Each vendored file has its licence beside it, which is all that both licences ask for."""
    assert (FOLDER / entry["licence_file"]).read_text().strip()


def test_nothing_else_is_vendored() -> None:
    """Every vendored file has an entry, because otherwise it would have no version and no licence."""
    listed = {"VENDORED.json"} | {entry[key] for entry in ENTRIES for key in ("file", "licence_file")}
    assert listed == {path.name for path in FOLDER.iterdir()}


def test_htmx_is_the_version_that_is_written_down() -> None:
    """htmx itself states the recorded version; a checksum alone would not reveal a wrong version in the entry."""
    version = next(entry["version"] for entry in ENTRIES if entry["package"] == "htmx.org")
    assert f'version:"{version}"' in (FOLDER / "htmx.min.js").read_text()
