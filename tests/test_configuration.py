"""The documentation of the settings is correct: it lists every setting with its default, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings

import client_server.settings
import demo_llm.settings
import saas_api.settings

TABLE = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"
SERVERS: dict[str, type[BaseSettings]] = {
    "client_server": client_server.settings.Settings,
    "demo_llm": demo_llm.settings.Settings,
    "saas_api": saas_api.settings.Settings,
}
IN_WORDS = {"generated", "unset", "built in", "SQLite in `DATA_DIR`"}


def documented() -> dict[str, tuple[str, set[str]]]:
    """Maps each documented variable to its default as written and the servers that read it."""
    rows = [line.strip("|").split("|") for line in TABLE.read_text().splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in row] for row in rows]
    return {
        name.strip("`"): (default, set(SERVERS) if readers == "all" else set(readers.split(", "))) for name, default, readers, _ in cells
    }


def declared() -> dict[str, tuple[set[str], set[str]]]:
    """Maps each variable in the code to its defaults and the servers that read it."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for server, settings in SERVERS.items():
        for name, field in settings.model_fields.items():
            defaults, readers = found.setdefault(name.upper(), (set(), set()))
            defaults.add(_written(field.default, required=field.is_required()))
            readers.add(server)
    return found


def _written(value: Any, *, required: bool) -> str:
    if required:
        return "generated"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).rstrip("/")


def test_every_setting_is_documented_and_nothing_else() -> None:
    """The documentation and the code name the same variables, read by the same servers."""
    assert {name: readers for name, (_, readers) in documented().items()} == {name: readers for name, (_, readers) in declared().items()}


def test_the_documented_defaults_are_the_real_ones() -> None:
    """A documented value is the default in the code; a default in words means that there is none or that it is generated."""
    code = declared()
    for name, (default, _) in documented().items():
        if default == "generated":
            assert code[name][0] == {"generated"}, name
        elif default in IN_WORDS:
            assert code[name][0] == {"None"}, name
        else:
            assert code[name][0] == {default.strip("`")}, name
