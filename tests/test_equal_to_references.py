"""The comparison with another library's references says in one line what it cannot run."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "scripts" / "equal_to_references.py"


def test_no_checkout(tmp_path):
    run = subprocess.run(
        [sys.executable, SCRIPT, tmp_path, "--json"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 2 and run.stdout == ""
    assert run.stderr.count("\n") == 1 and "accepted: a checkout" in run.stderr
