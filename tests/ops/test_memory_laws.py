"""What holds of the memories whatever the numbers: splits, rows, leading dimensions, sizes of zero and one."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracle_points import SOMETIMES, call, leaves_of, relative, truth

from fastweights import ops
from fastweights.ops.delta_memory import chunked
from fastweights.oracle.delta_memory_gradcheck import Case

CASES = [
    Case(reads=2, gate="norm"),
    Case(reads=2, combine="concat"),
    Case(keys=1, gate="tensor"),
    Case(keys=1, rule="hebbian"),
    Case(keys=1, gate="channels", norm=False, erase=True),
    Case(keys=1, gate="channels", rule="hebbian"),
]
TIME = 12

cases = pytest.mark.parametrize("case", CASES, ids=str)


def point_of(case, batch=2):
    return truth(case, (batch, TIME), scale=SOMETIMES)


def assert_same(found, true):
    for a, b in zip(found, true, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-11)


def piece(arguments, steps, memory):
    """The arguments at some steps, from a memory."""
    return {k: v if k == "memory" else v[:, steps] for k, v in arguments.items()} | {
        "memory": memory
    }


@cases
@given(cuts=st.lists(st.integers(0, TIME), max_size=4))
def test_a_sequence_may_be_split_anywhere(case, memory_ways, cuts):
    arguments = point_of(case).arguments
    whole = call(case, arguments, **memory_ways)
    memory, parts = arguments["memory"], []
    edges = [0, *sorted(cuts), TIME]  # a cut given twice, or at an end, makes a piece without steps
    for start, stop in itertools.pairwise(edges):
        retrieved, memory = call(case, piece(arguments, slice(start, stop), memory), **memory_ways)
        parts.append(retrieved)
    assert_same((torch.cat(parts, 1), memory), whole)


@cases
def test_gradients_flow_through_a_split(case, memory_ways):
    gradients = []
    for cut in (None, 5):
        leaves = leaves_of(point_of(case))
        memory, parts = leaves["memory"], []
        for steps in [slice(None)] if cut is None else [slice(cut), slice(cut, None)]:
            retrieved, memory = call(case, piece(leaves, steps, memory), **memory_ways)
            parts.append(retrieved)
        scalar = torch.cat(parts, 1).square().sum() + memory.square().sum()
        gradients.append(torch.autograd.grad(scalar, list(leaves.values())))
    for found, true in zip(*gradients, strict=True):
        assert relative(found, true) <= 1e-11


@cases
@given(rows=st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_rows_never_see_each_other(case, memory_ways, rows):
    """Rows taken in any order and any number give the rows' own results."""
    arguments = point_of(case, 4).arguments
    whole = call(case, arguments, **memory_ways)
    taken = {name: value[rows] for name, value in arguments.items()}
    assert_same(call(case, taken, **memory_ways), [result[rows] for result in whole])


@cases
def test_leading_dimensions_are_rows(case, memory_ways):
    point = point_of(case, 4)
    leaves = leaves_of(point)
    heads = {name: leaf.unflatten(0, (2, 2)) for name, leaf in leaves.items()}
    found = call(case, heads, **memory_ways)
    true = call(case, point.arguments, **memory_ways)
    assert_same([result.flatten(0, 1) for result in found], true)
    assert found[1].shape[:2] == (2, 2)
    sum(result.sum() for result in found).backward()
    assert all(leaf.grad.any() for leaf in leaves.values())


@cases
def test_later_input_changes_no_earlier_output(case, memory_ways):
    arguments = point_of(case).arguments
    true = call(case, arguments, **memory_ways)[0]
    changed = {
        name: value if name == "memory" else torch.cat((value[:, :7], value[:, 7:].flip(1)), 1)
        for name, value in arguments.items()
    }
    found = call(case, changed, **memory_ways)[0]
    assert_same([found[:, :7]], [true[:, :7]])
    assert not torch.allclose(found[:, 7:], true[:, 7:])


@cases
@pytest.mark.parametrize("carried", [True, False])
def test_no_time_keeps_the_memory(case, carried, memory_ways):
    leaves = leaves_of(truth(case, carried=carried))
    none = {k: v if k == "memory" else v[:, :0] for k, v in leaves.items()}
    retrieved, memory = call(case, none, **memory_ways)
    assert retrieved.shape == (3, 0, 4)
    assert torch.equal(memory, leaves.get("memory", torch.zeros_like(memory)))
    (retrieved.sum() + memory.sum() + leaves["values"].sum()).backward()  # nothing breaks


@cases
def test_no_rows(case, memory_ways):
    leaves = {name: leaf[:0] for name, leaf in leaves_of(truth(case)).items()}
    retrieved, memory = call(case, leaves, **memory_ways)
    assert retrieved.shape == (0, 7, 4) and memory.shape == leaves["memory"].shape
    retrieved.sum().backward()


@cases
def test_nothing_given_is_changed(case, memory_ways):
    point = point_of(case)
    arguments = {name: value.clone() for name, value in point.arguments.items()}
    mask = torch.arange(TIME).expand(2, -1) < 8
    call(case, arguments, mask=mask, read_mask=mask.flip(1), **memory_ways)
    assert all(torch.equal(arguments[name], point.arguments[name]) for name in arguments)


@cases
def test_strided_arguments(case, memory_ways):
    """Views that are not contiguous: reversed in their dimensions, every second number, expanded."""
    arguments = point_of(case).arguments
    strided = {}
    for name, value in arguments.items():
        wide = torch.full((*reversed(value.shape), 2), float("nan"), dtype=value.dtype)
        view = wide[..., 0].permute([*reversed(range(value.dim()))])
        strided[name] = view.copy_(value)
    strided["memory"] = arguments["memory"][:1].expand(2, *[-1] * (arguments["memory"].dim() - 1))
    expected = arguments | {"memory": strided["memory"].contiguous()}
    assert_same(call(case, strided, **memory_ways), call(case, expected, **memory_ways))


def test_the_clamp_goes_by_the_norm_as_it_is_in_every_chunk(monkeypatch):
    """What a chunk reckons ‖F‖² to be gathers rounding, which must not go into the next; here it is a whole unit."""
    case = Case(reads=2, gate="norm")
    arguments, genuine = point_of(case).arguments, chunked.find_writes

    def drifting(*args, **options):
        writes, decay, norm = genuine(*args, **options)
        return writes, decay, norm + 1.0

    right = call(case, arguments, backend="chunked", chunk=4)
    monkeypatch.setattr(chunked, "find_writes", drifting)
    assert_same(call(case, arguments, backend="chunked", chunk=4), right)


@pytest.mark.parametrize("differentiable", [False, True])
def test_at_a_norm_of_one_nothing_is_clamped(differentiable, memory_ways):
    """F / max(1, ‖F‖) has two derivatives there, and every form takes that of F."""
    if differentiable and memory_ways["backend"] == "cpu":
        pytest.skip("kernels are differentiated once")
    one = torch.tensor([[[1.0, 0.0]]], dtype=torch.float64)
    value, strength = one.clone().requires_grad_(), torch.ones(1, 1, dtype=torch.float64)
    read, memory = ops.delta_memory(
        (one,), value, strength, queries=(one,), gate="norm", read_norm=False, **memory_ways
    )
    assert torch.equal(read, one) and memory.square().sum() == 1
    (slope,) = torch.autograd.grad(read[..., 0].sum(), value, create_graph=differentiable)
    assert torch.equal(slope, one)
