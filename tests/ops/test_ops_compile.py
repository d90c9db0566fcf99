"""`torch.compile` takes the ops as one graph."""

import subprocess
import sys

import pytest
from compiled_ops import RUNS


@pytest.mark.slow
@pytest.mark.parametrize("op", RUNS)
def test_one_graph(op, request):
    command = [sys.executable, "-W", "error", str(request.path.parent / "compiled_ops.py"), op]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.stdout.splitlines() == list(RUNS[op]), run.stderr
