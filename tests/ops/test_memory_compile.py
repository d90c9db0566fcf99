"""`torch.compile` takes the memories as one graph."""

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_one_graph(request):
    script = request.path.parent / "compiled_memory.py"
    command = [sys.executable, "-W", "error", str(script)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    parts = ("whole", "padded", "gated", "written")
    done = [f"{way} {part}" for way in ("reference", "chunked", "auto") for part in parts]
    assert run.stdout.splitlines() == [*done, "autocast"], run.stderr
