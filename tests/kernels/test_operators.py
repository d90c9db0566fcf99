"""Every fused recurrence as a citizen of torch: the operators' contracts, autograd, `torch.compile`."""

from __future__ import annotations

import subprocess
import sys

import memory_arguments
import pytest
import rnn_arguments
import torch
from torch import Tensor

from fastweights.kernels import ready
from fastweights.ops.delta_memory.cpu import launch as memory
from fastweights.ops.delta_memory.cpu.channels import launch as channels
from fastweights.ops.delta_memory.cpu.channels.launch import fused_channels
from fastweights.ops.delta_memory.cpu.operators import fused_memory
from fastweights.ops.fast_weight_rnn.cpu import launch as rnn
from fastweights.ops.fast_weight_rnn.cpu.operators import recurrence as fused_rnn
from fastweights.ops.lstm.cpu import launch as lstm
from fastweights.ops.lstm.cpu.operators import recurrence as fused_lstm

pytestmark = pytest.mark.skipif(ready.available() is not None, reason=str(ready.available()))


def call_rnn(**kinds):
    tensors, options = rnn_arguments.arguments(4, 5, 6, **kinds)
    decay, rate = tensors.pop("decay"), tensors.pop("rate")
    scalars = (decay, rate, 0.0, 0.0) if isinstance(decay, Tensor) else (None, None, decay, rate)
    tanh, flat = options["nonlinearity"] == "tanh", options["form"] == "flat"
    numbers = (*scalars, options["inner_steps"], tanh, flat, 1e-5, 3)
    return fused_rnn, rnn.Arguments(*tensors.values(), *numbers)


def call_memory(**kinds):
    tensors, options = memory_arguments.arguments(3, 5, **kinds)
    two = "keys1" in tensors
    query = tensors.get("queries1" if two else "queries0")
    if query is not None and not two:
        query = query.detach().unsqueeze(2).requires_grad_()
    outer, inner = (tensors["keys0"] if two else None), tensors["keys1" if two else "keys0"]
    first = (outer, inner, tensors["values"], tensors["strength"])
    chain = tensors.get("queries0") if two else None
    named = [tensors.get(name) for name in ("memory", "gate", "real", "read_mask")]
    numbers = (options["rule"] == "delta", options["clamp"], 0, options["read_norm"], 3, 1e-5)
    return fused_memory, memory.Arguments(*first, chain, query, *named, *numbers)


def call_channels(erase=True, query=True, memory=True, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)

    def leaf(*shape):
        return torch.rand(shape, generator=generator, dtype=dtype).sub_(0.2).requires_grad_()

    keys, gate, values = leaf(3, 5, 4), leaf(3, 5, 4), leaf(3, 5, 6)
    rest = (leaf(3, 5, 4) if erase else None, leaf(3, 5, 4) if query else None)
    start = leaf(3, 4, 6) if memory else None
    return fused_channels, channels.Arguments(keys, gate, values, *rest, start, 3)


def call_lstm(classes=None, state=True, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)

    def leaf(*shape):
        return torch.randn(shape, generator=generator, dtype=dtype).requires_grad_()

    gates = leaf(4, 5, 24) if classes is None else leaf(classes, 24)
    chosen = lengths = None
    if classes is not None:
        chosen = torch.randint(classes, (4, 5), generator=generator)
        lengths = torch.tensor([5, 0, 3, 5])
    hidden, cell = (leaf(4, 6), leaf(4, 6)) if state else (None, None)
    return fused_lstm, lstm.Arguments(gates, chosen, leaf(24, 6), hidden, cell, lengths, True)


CALLS = {
    "rnn, everything": (call_rnn, {"state": True, "preliminary": True, "inner_steps": 2}),
    "rnn, bare": (call_rnn, {"learned": False, "norm": False, "nonlinearity": "tanh"}),
    "rnn, flat": (call_rnn, {"form": "flat", "dtype": torch.float32}),
    "memory, product": (call_memory, {"gate": "norm", "padded": True}),
    "memory, one factor": (
        call_memory,
        {"sizes": (5,), "gate": True, "memory": False, "rule": "hebbian"},
    ),
    "memory, selective": (
        call_memory,
        {"read": 0.5, "dtype": torch.float32, "read_norm": False},
    ),
    "memory, writing alone": (call_memory, {"queries": False}),
    "memory, decays by feature": (call_channels, {}),
    "memory, decays by feature, bare": (
        call_channels,
        {"erase": False, "memory": False, "dtype": torch.float32},
    ),
    "memory, decays by feature, writing alone": (call_channels, {"query": False}),
    "lstm": (call_lstm, {}),
    "lstm, zero": (call_lstm, {"state": False, "dtype": torch.float32}),
    "lstm, looked up": (call_lstm, {"classes": 3}),
}


@pytest.fixture(params=CALLS)
def given(request):
    build, kinds = CALLS[request.param]
    return build(**kinds)


# opcheck asks for this gradient itself; torch hides its warning from whoever only prints them.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
def test_the_operator_keeps_torchs_contracts(given):
    fused, call = given
    torch.library.opcheck(fused.forward_operator, tuple(call))


def test_the_operator_and_the_direct_path_are_one(given):
    fused, call = given
    leaves = [x for x in call if isinstance(x, Tensor) and x.requires_grad]
    through, direct = fused.forward_operator(*call)[:-1], fused(call)
    assert all(map(torch.equal, through, direct))
    found, true = (
        torch.autograd.grad(sum(x.square().sum() for x in results if x.requires_grad), leaves)
        for results in (through, direct)
    )
    assert all(map(torch.equal, found, true))


def test_no_gradient_reaches_back_where_the_results_are_unused(given):
    """Missing gradients of the results give none; `saved` never has one."""
    fused, call = given
    *results, saved = fused.forward_operator(*call)
    assert not saved.requires_grad
    assert all(each is None for each in results[-1].grad_fn.apply(*[None] * (len(results) + 1)))


def test_the_graph_can_be_walked_twice(given):
    fused, call = given
    leaf = next(x for x in call if isinstance(x, Tensor) and x.requires_grad)
    total = fused(call)[-1].square().sum()
    first, second = (torch.autograd.grad(total, leaf, retain_graph=True)[0] for _ in "ab")
    assert torch.equal(first, second)


def test_a_second_derivative_is_refused_clearly(given):
    fused, call = given
    leaf = next(x for x in call if isinstance(x, Tensor) and x.requires_grad)
    (gradient,) = torch.autograd.grad(fused(call)[-1].square().sum(), leaf, create_graph=True)
    with pytest.raises(
        RuntimeError, match=r"no second derivative; .*'reference|no second .*'chunked'"
    ):
        gradient.sum().backward()


COMPILED = """
import torch
from fastweights import ops

torch.set_num_threads(1)
gain, bias = torch.ones(6, requires_grad=True), torch.zeros(6, requires_grad=True)

def rnn(drive, weight, decay):
    options = {"norm_weight": gain, "norm_bias": bias, "chunk": 3, "need_state": False}
    return 2 * ops.fast_weight_rnn(drive, weight, decay=decay, rate=0.5, **options, backend="cpu")[0],

def memory(k1, k2, v, beta, memory):
    queries = (k1, k2.unsqueeze(2))
    return ops.delta_memory(
        (k1, k2), v, beta, queries=queries, memory=memory, gate="norm", backend="cpu", chunk=3
    )

def draw(*shapes):
    return [torch.rand(shape).requires_grad_() for shape in shapes]

def check(run, arguments):
    compiled = torch.compile(run, fullgraph=True, backend="aot_eager")
    for time in (5, 7):  # one size, then any
        inputs = arguments(time)
        found, true = compiled(*inputs), run(*inputs)
        assert all(map(torch.equal, found, true))
        found, true = (torch.autograd.grad(sum(x.square().sum() for x in y), inputs) for y in (found, true))
        assert all(map(torch.equal, found, true))

check(rnn, lambda time: [*draw((4, time, 6), (6, 6)), torch.tensor(0.9, requires_grad=True)])
check(memory, lambda time: draw((2, time, 4), (2, time, 3), (2, time, 4), (2, time), (2, 4, 3, 4)))
print("one graph each")
"""


def test_compiles_into_one_graph():
    """In a process of its own: the tests' run-time shape checks cannot be traced."""
    result = subprocess.run(
        [sys.executable, "-c", COMPILED], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "one graph each\n"
