"""The fused delta memory as a citizen of torch: the operator's contracts, autograd, `torch.compile`."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from memory_arguments import arguments, call
from torch import Tensor

from fastweights.kernels import ready
from fastweights.ops.delta_memory.cpu import run as cpu
from fastweights.ops.delta_memory.cpu.operators import fused_memory

forward_op = fused_memory.forward_operator
pytestmark = pytest.mark.skipif(ready.available() is not None, reason=str(ready.available()))

KINDS = {
    "product": {"gate": "norm", "padded": True},
    "one factor": {"sizes": (5,), "gate": True, "memory": False, "rule": "hebbian"},
    "selective": {"read": 0.5, "dtype": torch.float32, "read_norm": False},
    "writing alone": {"queries": False},
}


def operator_arguments(**kinds) -> tuple:
    tensors, options = arguments(3, 5, **kinds)
    two = "keys1" in tensors
    query = tensors.get("queries1" if two else "queries0")
    if query is not None and not two:
        query = query.detach().unsqueeze(2).requires_grad_()
    named = (tensors.get(name) for name in ("memory", "gate", "real", "read_mask"))
    return (
        tensors["keys0"] if two else None, tensors["keys1" if two else "keys0"], tensors["values"],
        tensors["strength"], tensors.get("queries0") if two else None, query, *named,
        options["rule"] == "delta", options["clamp"], 0, options["read_norm"], 3, 1e-5,
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_the_operator_keeps_torchs_contracts(kind):
    torch.library.opcheck(forward_op, operator_arguments(**KINDS[kind]))


def test_the_operator_and_the_direct_path_are_one():
    inputs = operator_arguments(gate=True)
    leaves = [x for x in inputs if isinstance(x, Tensor)]
    through = forward_op(*inputs)[:2]
    direct = call(cpu.run, *arguments(3, 5, gate=True), chunk=3)
    assert all(map(torch.equal, through, direct))
    gradients = torch.autograd.grad(sum(x.square().sum() for x in through), leaves)
    tensors, options = arguments(3, 5, gate=True)
    direct = call(cpu.run, tensors, options, chunk=3)
    order = ["keys0", "keys1", "values", "strength", "queries0", "queries1", "memory", "gate"]
    others = torch.autograd.grad(sum(x.square().sum() for x in direct), [tensors[n] for n in order])
    assert all(map(torch.equal, gradients, others))


COMPILED = """
import torch
from fastweights import ops

torch.set_num_threads(1)

def run(k1, k2, v, beta, memory):
    return ops.delta_memory(
        (k1, k2), v, beta, queries=(k1, k2.unsqueeze(2)), memory=memory, gate="norm", backend="cpu", chunk=3
    )

compiled = torch.compile(run, fullgraph=True, backend="aot_eager", dynamic=DYNAMIC)
for time in (5, 7):
    inputs = [torch.randn(2, time, 4), torch.randn(2, time, 3), torch.randn(2, time, 4), torch.rand(2, time)]
    inputs = [x.requires_grad_() for x in (*inputs, torch.randn(2, 4, 3, 4))]
    found, expected = compiled(*inputs), run(*inputs)
    assert all(map(torch.equal, found, expected))
    found, expected = (torch.autograd.grad(sum(x.square().sum() for x in y), inputs) for y in (found, expected))
    assert all(map(torch.equal, found, expected))
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


def test_no_gradient_reaches_back_where_the_results_are_unused():
    """Missing gradients of the results give none; `saved` never has one."""
    _, final, saved = forward_op(*operator_arguments())
    assert not saved.requires_grad
    assert all(gradient is None for gradient in final.grad_fn.apply(None, None, None))


def test_the_graph_can_be_walked_twice():
    tensors, options = arguments()
    _, final = call(cpu.run, tensors, options)
    first, second = (
        torch.autograd.grad(final.sum(), tensors["values"], retain_graph=True)[0] for _ in "ab"
    )
    assert torch.equal(first, second)


def test_a_second_derivative_is_refused_clearly():
    tensors, options = arguments()
    retrieved, _ = call(cpu.run, tensors, options)
    (gradient,) = torch.autograd.grad(retrieved.sum(), tensors["values"], create_graph=True)
    with pytest.raises(RuntimeError, match=r"second derivative.*'chunked'"):
        gradient.sum().backward()
