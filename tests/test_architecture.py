"""The rules of this repository: allowed imports, the length of files, what the Procfile starts, and names that may not appear."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAX_LINES = 300

MAY_IMPORT = {
    "wire": set(),
    "hop": {"wire"},
    "serving": {"wire", "hop"},
    "storage": {"wire"},
    "llm_providers": {"wire", "hop"},
    "saas_client": {"wire", "hop"},
    "saas_api": {"wire", "hop", "serving", "storage", "llm_providers"},
    "client_server": {"wire", "hop", "serving", "storage", "saas_client"},
    "demo_llm": {"wire", "serving"},
}
"""Every package that runs in production, and which of our packages it may import."""

BESIDES = {"bench", "scripts", "tests"}
"""Packages that nothing in production may import."""


def tracked_files() -> list[Path]:
    """All files of the repository, including uncommitted ones. Without git, all files except those that git would ignore."""
    listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split("\0")
    return [path for path in (ROOT / name for name in names if name) if path.is_file()]


def our_modules() -> list[Path]:
    return [path for path in tracked_files() if path.suffix == ".py"]


def configuration() -> Any:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]


def imported_names(path: Path) -> Iterator[str]:
    """The top-level names of all absolute imports anywhere in a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield (node.module or "").partition(".")[0]


def test_import_contracts_hold() -> None:
    """No module imports what its contract forbids. The linter runs in a separate process, because it turns off the process's loggers."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_package_has_its_contract() -> None:
    """Every package has a contract, and each contract forbids enough."""
    packages = {path.parent.relative_to(ROOT).parts[0] for path in our_modules() if path.parent != ROOT}
    contracts = configuration()["importlinter"]
    assert packages - {"examples"} == set(MAY_IMPORT) | BESIDES
    assert set(contracts["root_packages"]) == set(MAY_IMPORT) | BESIDES
    forbidden = {
        source: set(contract["forbidden_modules"])
        for contract in contracts["contracts"]
        if contract["type"] == "forbidden" and not contract.get("ignore_imports")
        for source in contract["source_modules"]
    }
    for package, allowed in MAY_IMPORT.items():
        missing = (set(MAY_IMPORT) | BESIDES) - {package} - allowed - forbidden[package]
        assert not missing, f"{package}'s contract does not forbid {sorted(missing)}"


def imported_modules(path: Path, modules: Mapping[str, Path]) -> Iterator[str]:
    """Our own modules that a module imports when it runs; imports for the type checker alone do not count."""
    tree = ast.parse(path.read_text())
    checks = [node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    unused = {id(inner) for check in checks for node in check.body for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and id(node) not in unused:
            for alias in node.names:
                named = f"{node.module}.{alias.name}"
                yield named if named in modules else str(node.module)


def test_no_module_imports_itself() -> None:
    """There is no cycle among our modules, so each can be read and tested from the bottom up."""
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in our_modules()
        if path.relative_to(ROOT).parts[0] in MAY_IMPORT and "versions" not in path.parts
    }
    graph = {name: {found for found in imported_modules(path, modules) if found in modules} for name, path in modules.items()}
    assert {"wire.log"} <= graph["hop.relay"]
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the cycle


def test_wire_needs_the_standard_library_alone() -> None:
    """The `wire` package imports nothing outside the standard library."""
    foreign = {
        f"{path.name}: {name}"
        for path in our_modules()
        if path.is_relative_to(ROOT / "wire")
        for name in imported_names(path)
        if name != "wire" and name not in sys.stdlib_module_names
    }
    assert set() == foreign


def test_modules_are_short() -> None:
    """A module has at most three hundred lines."""
    long = {str(path.relative_to(ROOT)): lines for path in our_modules() if (lines := len(path.read_text().splitlines())) > MAX_LINES}
    assert {} == long


def test_modules_say_what_they_are_for() -> None:
    """Every non-empty module begins with a docstring."""
    texts = {str(path.relative_to(ROOT)): path.read_text() for path in our_modules()}
    assert [] == [name for name, text in texts.items() if text.strip() and ast.get_docstring(ast.parse(text)) is None]


def test_the_architecture_names_every_module() -> None:
    """The table of modules names each module of each package that runs in production once, and nothing else."""
    section = (ROOT / "docs" / "architecture.md").read_text().split("\n## Modules\n")[1].split("\n## ")[0]
    named: list[str] = []
    package = ""
    for row in (line.split("|") for line in section.splitlines() if line.startswith("|") and line.endswith("` |")):
        package = row[1].strip(" `") or package
        named += [f"{package}/{name}" for name in re.findall(r"`([^`]+)`", row[3])]
    paths = [path.relative_to(ROOT).with_suffix("") for path in our_modules()]
    modules = [path.as_posix() for path in paths if path.parts[0] in MAY_IMPORT and "versions" not in path.parts]
    assert sorted(named) == sorted(module for module in modules if not module.endswith("__"))


def test_procfile_holds_the_three_servers() -> None:
    """The Procfile starts each of the three servers with the command for that server alone, and starts nothing else."""
    expected = [f"{name}: python -m {name}" for name in ("demo_llm", "saas_api", "client_server")]
    assert expected == (ROOT / "Procfile").read_text().splitlines()


def test_no_package_registry_is_named() -> None:
    """No file names a package registry: the machine that installs the packages decides where they come from."""
    hosts = [
        ".".join(parts).encode()
        for parts in (("pypi", "org"), ("python" + "hosted", "org"), ("registry", "npmjs"), ("registry", "yarnpkg"))
    ]
    named = {str(path.relative_to(ROOT)) for path in tracked_files() for host in hosts if host in path.read_bytes()}
    assert set() == named


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locks_pin_everything_with_hashes(lock: str) -> None:
    """Every requirement in a lock has an exact version and a hash, and every dependency of the project is in the lock."""
    entries = (ROOT / lock).read_text().replace("\\\n", " ").splitlines()
    assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)
    pinned = {entry.partition("==")[0] for entry in entries}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + (project["optional-dependencies"]["dev"] if "dev" in lock else [])
    names = {requirement.partition(">")[0].partition("[")[0] for requirement in wanted}
    assert names <= pinned
