"""The kernels' numbers, without a device: each file of `interpreted/` in a process where Triton interprets kernels.

Triton decides when it declares a kernel, so a process either interprets or compiles.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastweights.kernels.triton import ready

HERE = Path(__file__).parent
FILES = sorted(path.name for path in (HERE / "interpreted").glob("test_*.py"))


@pytest.mark.skipif(ready.missing() is not None, reason=str(ready.missing()))
@pytest.mark.skipif(ready.INTERPRETED, reason="this process interprets by itself")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", FILES)
def test_interpreted(name):
    words = ["-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist"]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *words, str(HERE / "interpreted" / name)],
        env=os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
    )
    print(ran.stdout[-20000:], ran.stderr[-2000:])
    assert ran.returncode == 0
