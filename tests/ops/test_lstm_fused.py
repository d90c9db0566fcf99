"""The fused LSTM: the same bits whatever runs beside, and `torch.compile`."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from lstm_truth import NAMES, arguments, by_op, run

from fastweights.errors import UserError
from fastweights.ops import dispatch as backends

reason = backends.unavailable("lstm", "cpu")
pytestmark = pytest.mark.skipif(reason is not None, reason=str(reason))


@pytest.mark.parametrize("size", [(70, 12, 23), (16, 40, 64), (5, 9, 9)])
@pytest.mark.parametrize("classes", [None, 6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_same_bits_every_time_and_with_any_number_of_threads(size, classes, dtype):
    given = arguments(*size, dtype=dtype, classes=classes)
    threads, results = torch.get_num_threads(), []
    try:
        for count in (1, 1, 2, 2, 2, 2):
            torch.set_num_threads(count)
            results.append(run(by_op, given, backend="cpu"))
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        assert [n for n, a, b in zip(NAMES, results[0], other, strict=True) if not a.equal(b)] == []


def test_rows_of_a_batch_do_not_see_each_other():
    given = arguments(19, 6, 30)
    whole = by_op(**given, backend="cpu")
    alone = {
        name: x if x is None or name == "recurrent_weight" else x[4:5] for name, x in given.items()
    }
    for a, b in zip(by_op(**alone, backend="cpu"), whole, strict=True):
        assert torch.equal(a, b[4:5])


@pytest.mark.parametrize("size", [3, 16, 19])
def test_an_infinite_state_saturates_the_gates_and_spoils_no_gradient(size):
    given = arguments(5, 4, size)
    given["hidden"][1, 0] = -torch.inf
    leaves = {name: given[name].clone().requires_grad_() for name in ("gates", "hidden", "cell")}
    found = {}
    for backend in ("reference", "cpu"):
        _, h, c = by_op(**given | leaves, backend=backend)
        found[backend] = torch.autograd.grad((h.sum(), c.sum()), list(leaves.values()))
    for ours, right in zip(found["cpu"], found["reference"], strict=True):
        torch.testing.assert_close(ours, right)


@pytest.mark.parametrize("classes", [None, 6])
def test_without_a_gradient_nothing_is_kept_and_the_bits_are_the_same(classes):
    given = arguments(6, 9, 20, classes=classes)
    kept = run(by_op, given, backend="cpu")
    assert all(map(torch.equal, by_op(**given, backend="cpu"), kept))


def test_only_what_requires_a_gradient_gets_one():
    given = arguments()
    for name in ("gates", "recurrent_weight", "hidden", "cell"):
        leaf = given[name].clone().requires_grad_()
        sum(x.square().sum() for x in by_op(**given | {name: leaf}, backend="cpu")).backward()
        assert leaf.grad.abs().max() > 0, name
    assert not by_op(**given, backend="cpu")[0].requires_grad


def test_concurrent_callers_do_not_disturb_each_other():
    cases = [arguments(20 + k, 9, 10 + k, seed=k) for k in range(4)]
    alone = [by_op(**case, backend="cpu")[0] for case in cases]
    with ThreadPoolExecutor(4) as pool:
        together = pool.map(lambda case: by_op(**case, backend="cpu")[0], cases * 5)
        for k, outputs in enumerate(together):
            assert torch.equal(outputs, alone[k % 4])


@pytest.mark.parametrize("wrong", [-1, 6])
def test_a_class_without_a_row_is_refused(wrong):
    given = arguments(classes=6)
    given["classes"][2, 3] = wrong
    with pytest.raises(UserError, match=f"class {wrong} has no row of gates; accepted: 0 to 5"):
        by_op(**given, backend="cpu")


COMPILED = """
import torch
from fastweights import ops

torch.set_num_threads(1)

def run(gates, weight, hidden, cell, mask):
    outputs, h, c = ops.lstm(gates, weight, hidden=hidden, cell=cell, mask=mask, backend="cpu")
    return 2 * outputs, h, c

compiled = torch.compile(run, fullgraph=True, backend="aot_eager")
for time in (5, 7):  # one size, then any
    inputs = [torch.randn(s, requires_grad=True) for s in ((4, time, 24), (24, 6), (4, 6), (4, 6))]
    for mask in (None, torch.arange(time) < torch.tensor([[3], [5], [0], [1]])):
        results = []
        for function in (compiled, run):
            found = function(*inputs, mask)
            gradients = torch.autograd.grad(sum(x.square().sum() for x in found), inputs)
            results.append((*found, *gradients))
        torch.testing.assert_close(*results)
print("one graph")
"""


@pytest.mark.slow
def test_compiles_into_one_graph():
    """In a process of its own: the tests' run-time shape checks cannot be traced."""
    result = subprocess.run(
        [sys.executable, "-c", COMPILED], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "one graph\n"
