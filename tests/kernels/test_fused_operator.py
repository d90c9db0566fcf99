"""The fused RNN as a citizen of torch: the operator's contracts, autograd, `torch.compile`."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from rnn_equations import arguments, fused
from torch import Tensor

from fastweights.ops.fast_weight_rnn.cpu import run as cpu
from fastweights.ops.fast_weight_rnn.cpu.operators import recurrence

forward_op = recurrence.forward_operator
pytestmark = pytest.mark.skipif(cpu.available() is not None, reason=str(cpu.available()))


def operator_arguments(**kinds) -> tuple:
    tensors, options = arguments(4, 5, 6, **kinds)
    decay, rate = tensors.pop("decay"), tensors.pop("rate")
    learned = isinstance(decay, Tensor)
    scalars = (decay, rate, 0.0, 0.0) if learned else (None, None, decay, rate)
    tanh, flat = options["nonlinearity"] == "tanh", options["form"] == "flat"
    return (*tensors.values(), *scalars, options["inner_steps"], tanh, flat, 1e-5, 3)


@pytest.mark.parametrize(
    "kinds",
    [
        {"state": True, "preliminary": True, "inner_steps": 2},
        {"learned": False, "norm": False, "nonlinearity": "tanh"},
        {"form": "flat", "dtype": torch.float32},
    ],
    ids=["everything", "bare", "flat"],
)
def test_the_operator_keeps_torchs_contracts(kinds):
    torch.library.opcheck(forward_op, operator_arguments(**kinds))


def test_the_operator_and_the_direct_path_are_one():
    inputs = operator_arguments(state=True)
    leaves = [x for x in inputs if isinstance(x, Tensor)]
    tensors, options = arguments(4, 5, 6, state=True)
    through = forward_op(*inputs)[0]
    direct = fused(**tensors, **options, chunk=3)
    gradients = torch.autograd.grad(through.square().sum(), leaves)
    others = torch.autograd.grad(direct.square().sum(), [tensors[n] for n in ORDER])
    assert torch.equal(through, direct)
    for one, other in zip(gradients, others, strict=True):
        assert torch.equal(one, other)


ORDER = [
    "drive",
    "recurrent_weight",
    "norm_weight",
    "norm_bias",
    "hidden",
    "memory",
    "decay",
    "rate",
]


COMPILED = """
import torch
from fastweights import ops

torch.set_num_threads(1)
gain, bias = torch.ones(6, requires_grad=True), torch.zeros(6, requires_grad=True)

def run(drive, weight, decay):
    options = {"norm_weight": gain, "norm_bias": bias, "chunk": 3, "need_state": False}
    return 2 * ops.fast_weight_rnn(drive, weight, decay=decay, rate=0.5, **options, backend="cpu")[0]

compiled = torch.compile(run, fullgraph=True, backend="aot_eager", dynamic=DYNAMIC)
for time in (5, 7):
    drive = torch.randn(4, time, 6, requires_grad=True)
    inputs = (drive, torch.eye(6, requires_grad=True), torch.tensor(0.9, requires_grad=True))
    outputs, expected = compiled(*inputs), run(*inputs)
    assert torch.equal(outputs, expected)
    found = torch.autograd.grad(outputs.square().sum(), (*inputs, gain))
    truth = torch.autograd.grad(expected.square().sum(), (*inputs, gain))
    assert all(map(torch.equal, found, truth))
print("one graph")
"""


@pytest.mark.parametrize("dynamic", [False, True])
def test_compiles_into_one_graph(dynamic):
    """In a process of its own: the tests' run-time shape checks cannot be traced."""
    script = COMPILED.replace("DYNAMIC", str(dynamic))
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "one graph\n"


def test_no_gradient_reaches_back_where_the_outputs_are_unused():
    """A missing gradient of the outputs gives none; `saved` never has one."""
    outputs, saved = forward_op(*operator_arguments())
    assert not saved.requires_grad
    assert all(gradient is None for gradient in outputs.grad_fn.apply(None, None))


def test_the_graph_can_be_walked_twice():
    tensors, options = arguments()
    outputs = fused(**tensors, **options)
    first, second = (
        torch.autograd.grad(outputs.sum(), tensors["drive"], retain_graph=True)[0] for _ in "ab"
    )
    assert torch.equal(first, second)


def test_a_second_derivative_is_refused_clearly():
    tensors, options = arguments()
    outputs = fused(**tensors, **options)
    (gradient,) = torch.autograd.grad(outputs.sum(), tensors["drive"], create_graph=True)
    with pytest.raises(RuntimeError, match="second derivative"):
        gradient.sum().backward()
