"""`torch.compile` takes the layers as one graph."""

import subprocess
import sys

import pytest

# In an interpreter of its own: the run-time shape checks of the tests cannot be traced.
SCRIPT = """
import sys, torch
from backbones import BACKBONES, HIDDEN, INPUT
for name in sys.argv[1:]:
    torch.manual_seed(0)
    torch.compiler.reset()
    backbone = BACKBONES[name](INPUT, HIDDEN).eval()
    compiled = torch.compile(backbone, fullgraph=True, backend="aot_eager")
    x = torch.randn(2, 4, INPUT)
    results = []
    for run in (backbone, compiled):
        backbone.zero_grad()
        first, state = run(x)
        second, _ = run(x, state)
        (first.sum() + second.square().sum()).backward()
        results.append([first, second, *(p.grad for p in backbone.parameters())])
    torch.testing.assert_close(*results)
    print(name)
"""


LAYERS = [
    "fast-weights-chunked",
    "fast-weights-flat",
    "gru-ln",
    "memory",
    "gated-deltanet",
    "transformer-xl",
]


@pytest.mark.slow
def test_one_graph(request):
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, *LAYERS],
        capture_output=True,
        text=True,
        cwd=request.path.parent,
        check=False,
    )
    assert run.stdout.split() == LAYERS, run.stderr
