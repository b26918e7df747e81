"""`scripts/find_python.sh`: which Python the environment is made with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import ROOT

# A fake Python that reports a given version and build. The real Python behind it may have any version and build.
FAKE = """#!/bin/sh
exec {real} -c "import sys, sysconfig
sys.version_info, sys.base_prefix = {version}, '{prefix}'
if {bare}: sys.modules['venv'] = None
sysconfig.get_config_vars()['CONFIG_ARGS'] = '{configured}'
$2"
"""


def fake(
    directory: Path, name: str, *, version: tuple[int, int] = (3, 11), prefix: str = "/opt", configured: str = "", bare: bool = False
) -> Path:
    """Makes an executable with this name in this directory."""
    code = FAKE.format(real=sys.executable, version=version, prefix=prefix, configured=configured, bare=bare)
    return program(directory / name, code)


def program(path: Path, code: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(code)
    path.chmod(0o755)
    return path


def found(*path: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """The result of the script with only these directories on PATH, so that it sees only their Pythons."""
    script = (ROOT / "scripts" / "find_python.sh").read_text().replace("/usr/bin/python3", "/nowhere/python3")
    env |= {"PATH": os.pathsep.join(map(str, path))}
    return subprocess.run(["/bin/sh", "-c", script], env=env, capture_output=True, text=True, check=False)


def test_the_first_that_is_new_enough(tmp_path: Path) -> None:
    """`python3` is taken if it is new enough, otherwise a Python with its version in its name."""
    old = fake(tmp_path, "python3", version=(3, 9))
    new = fake(tmp_path, "python3.12", version=(3, 12))
    assert found(tmp_path).stdout.strip() == str(new)
    old.unlink()
    usual = fake(tmp_path, "python3")
    assert found(tmp_path).stdout.strip() == str(usual)


@pytest.mark.parametrize("build", [{"prefix": "/usr"}, {"configured": "--prefix=/x --enable-optimizations"}])
def test_an_optimised_one_goes_before_others(tmp_path: Path, build: dict[str, Any]) -> None:
    """A Python built with optimisation is preferred, even if another comes first."""
    fake(tmp_path, "python3")
    optimised = fake(tmp_path, "python3.11", **build)
    assert found(tmp_path).stdout.strip() == str(optimised)


def test_the_one_that_is_asked_for(tmp_path: Path) -> None:
    """PYTHON decides, whatever other Pythons there are."""
    fake(tmp_path / "bin", "python3", prefix="/usr")
    own = fake(tmp_path / "own", "python")
    assert found(tmp_path / "bin", PYTHON=str(own)).stdout.strip() == str(own)


def test_the_one_that_is_asked_for_will_not_do(tmp_path: Path) -> None:
    """If PYTHON names an unusable Python, the script fails and takes no other."""
    fake(tmp_path / "bin", "python3", prefix="/usr")
    for wrong in (str(fake(tmp_path / "own name", "python", version=(3, 9))), "/nowhere/python"):
        refused = found(tmp_path / "bin", PYTHON=wrong)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr == f"PYTHON is {wrong}, which is not Python 3.11 or newer.\n"


def test_one_that_can_make_an_environment(tmp_path: Path) -> None:
    """A Python with `venv` is preferred, and Debian's `venv` package is installed, once, only if no Python has it."""
    asked = tmp_path / "asked"
    program(tmp_path / "apt-get", f'#!/bin/sh\necho "$@" >> {asked}\n')
    program(tmp_path / "id", "#!/bin/sh\necho 0\n")
    fake(tmp_path, "python3", prefix="/usr", bare=True)
    whole = fake(tmp_path, "python3.12")
    assert found(tmp_path).stdout.strip() == str(whole)
    assert not asked.exists()
    whole.unlink()
    without = found(tmp_path)
    assert (without.returncode, without.stdout) == (1, "")
    assert "sudo apt-get install python3.11-venv" in without.stderr
    assert asked.read_text() == "install -y -qq python3.11-venv\n"


def test_none(tmp_path: Path) -> None:
    """Without a usable Python, the script prints one sentence and fails."""
    fake(tmp_path, "python3", version=(3, 9))
    none = found(tmp_path)
    assert none.returncode == 1
    assert "Python 3.11 or newer is needed" in none.stderr
    assert none.stdout == ""
