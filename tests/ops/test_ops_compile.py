"""`torch.compile` takes the ops as one graph; the fused operators keep torch's rules for operators."""

import subprocess
import sys

import pytest
import torch
from compiled_ops import RUNS

from fastweights.ops import dispatch as backend


@pytest.mark.slow
@pytest.mark.parametrize("op", RUNS)
def test_one_graph(op, request):
    command = [sys.executable, "-W", "error", str(request.path.parent / "compiled_ops.py"), op]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.stdout.splitlines() == list(RUNS[op]), run.stderr


OPTIONAL = ("gain", "bias", "first_gain", "first_bias", "hidden", "memory", "decay", "rate")
GIVEN = {"nothing": (), "everything": OPTIONAL}


@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
@pytest.mark.parametrize(
    "steps, tanh, flat, chunk", [(1, False, False, 5), (2, True, False, 2), (1, True, True, 5)]
)
def test_operators_keep_the_rules(given, steps, tanh, flat, chunk):
    """Schema, fake tensors, autograd registration, and ahead-of-time dispatch with fixed and dynamic shapes."""
    reason = backend.unavailable("fast_weight_rnn", "cpu")
    if reason is not None:
        pytest.skip(reason)
    if flat and "first_gain" in given:
        pytest.skip("the flat form has no preliminary norm")
    batch, time, size = 3, 5, 4
    shapes = {"gain": (size,), "bias": (size,), "first_gain": (size,), "first_bias": (size,)}
    shapes |= {"hidden": (batch, size), "memory": (batch, size, size), "decay": (), "rate": ()}

    def leaf(*shape):
        return torch.rand(shape).requires_grad_()

    arguments = [leaf(batch, time, size), leaf(size, size)]
    arguments += [leaf(*shapes[name]) if name in given else None for name in OPTIONAL]
    numbers = (0.9, 0.3, steps, tanh, flat, 1e-5, chunk)
    operator = torch.ops.fastweights.fast_weight_rnn_forward.default
    torch.library.opcheck(operator, (*arguments, *numbers))
