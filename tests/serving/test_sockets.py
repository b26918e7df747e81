"""`serving.sockets`: as many connections as the machine allows."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from serving.sockets import WANTED

_SCRIPT = """
import resource, sys
from serving.sockets import allow_many_sockets
soft, hard = (int(value) for value in sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
allow_many_sockets()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""

HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
MOST = WANTED if HARD == resource.RLIM_INFINITY else min(HARD, WANTED)


@pytest.mark.parametrize(
    ("soft", "hard", "expected"),
    [
        pytest.param(256, HARD, MOST, id="as far as it is useful, or as it may"),
        pytest.param(256, 512, 512, id="not beyond what the machine allows"),
        pytest.param(512, 512, 512, id="nothing to raise"),
        pytest.param(HARD, HARD, HARD, id="never lowered"),
    ],
)
def test_raises_the_limit_of_open_files(soft: int, hard: int, expected: int) -> None:
    """The soft limit goes up as far as it may, the hard one stays; in a process of its own, since a hard limit cannot be raised again."""
    done = subprocess.run([sys.executable, "-c", _SCRIPT, str(soft), str(hard)], check=True, capture_output=True, text=True)
    assert f"{expected} {hard}" == done.stdout.strip()
