"""`torch.compile` takes the layers as one graph."""

import subprocess
import sys

import pytest
from registered import NAMES

# In an interpreter of its own: the run-time shape checks of the tests cannot be traced.
SCRIPT = """
import sys, torch
from fastweights import state as states
from registered import NAMES, padded, small

LEARNED = ("fast-weights-flat", "gru-ln", "fwm")
close = torch.testing.assert_close
for name in NAMES:
    torch.compiler.reset()
    backbone, (x, mask) = small(name), padded(2, 2)
    compiled = torch.compile(backbone, fullgraph=True, backend="eager")
    step = torch.compile(backbone.step, fullgraph=True, backend="eager")
    y, state = compiled(x, mask=mask)
    close((y, state), backbone(x, mask=mask))
    state = states.detach(state)
    close(step(x[:, 0], state), backbone.step(x[:, 0], state))
    if name in LEARNED:
        results = []
        for run in (backbone, torch.compile(backbone, fullgraph=True, backend="aot_eager")):
            backbone.zero_grad()
            y, _ = run(x, state)
            y.square().sum().backward()
            results.append([y, *(p.grad for p in backbone.parameters())])
        close(*results)
    print(name)
assert not torch._dynamo.config.allow_rnn
"""


@pytest.mark.slow
def test_one_graph(request):
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT],
        capture_output=True,
        text=True,
        cwd=request.path.parent,
        check=False,
    )
    assert run.stdout.split() == list(NAMES) and not run.returncode, run.stderr
