"""Types, autocast and second derivatives."""

import pytest
import torch
from oracle_points import call, leaves_of, relative, truth
from torch._subclasses.fake_tensor import FakeTensorMode

from fastweights.oracle.delta_memory_gradcheck import Case

CASES = [Case(reads=2, gate="norm"), Case(keys=1, gate="tensor")]

cases = pytest.mark.parametrize("case", CASES, ids=str)


def as_type(arguments, dtype):
    return {name: value.to(dtype) for name, value in arguments.items()}


@cases
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_types_are_computed_in_single(case, dtype, memory_ways):
    """Equal to the float32 result of the same rounded arguments; outputs are rounded at the end, the state is not."""
    rounded = as_type(truth(case).arguments, dtype)
    found = call(case, rounded, **memory_ways)
    true = call(case, as_type(rounded, torch.float32), **memory_ways)
    assert (found[0].dtype, found[1].dtype) == (dtype, torch.float32)
    assert torch.equal(found[0], true[0].to(dtype)) and torch.equal(found[1], true[1])
    again = call(case, rounded | {"memory": true[1]}, **memory_ways)
    wide = as_type(rounded, torch.float32) | {"memory": true[1]}
    assert torch.equal(again[1], call(case, wide, **memory_ways)[1])


@cases
@pytest.mark.parametrize("carried", [True, False], ids=["carried", "zero"])
def test_autocast_keeps_the_memory_in_single(case, carried, memory_ways):
    """What is retrieved has the autocast type, F float32, and no product inside is rounded to bfloat16."""
    arguments = as_type(truth(case, carried=carried).arguments, torch.bfloat16)
    arguments["values"].requires_grad_()
    if carried:
        arguments["memory"] = arguments["memory"].float().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        retrieved, memory = call(case, arguments, **memory_ways)
    assert (retrieved.dtype, memory.dtype) == (torch.bfloat16, torch.float32)
    true = call(case, as_type(arguments, torch.float32), **memory_ways)
    assert torch.equal(retrieved, true[0].bfloat16()) and torch.equal(memory, true[1])
    (retrieved.float().sum() + memory.sum()).backward()
    assert arguments["values"].grad.dtype == torch.bfloat16
    assert not carried or arguments["memory"].grad.dtype == torch.float32


@cases
def test_autocast_leaves_double_alone(case, memory_ways):
    arguments = truth(case).arguments
    with torch.autocast("cpu", torch.bfloat16):
        found = call(case, arguments, **memory_ways)
    for a, b in zip(found, call(case, arguments, **memory_ways), strict=True):
        assert torch.equal(a, b) and a.dtype == torch.float64


@pytest.mark.parametrize("name", ["reference", "chunked"])
@pytest.mark.parametrize("case", [*CASES, Case(reads=2, combine="concat")], ids=str)
def test_second_derivatives(case, name):
    """Over a chunk's border too."""
    arguments = truth(case, (1, 4), (2, 2, 2)).arguments

    def function(*leaves):
        named = dict(zip(arguments, leaves, strict=True))
        return call(case, named, backend=name, chunk=None if name == "reference" else 3)

    leaves = [value.clone().requires_grad_() for value in arguments.values()]
    assert torch.autograd.gradgradcheck(function, leaves, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", ["reference", "chunked"])
@cases
def test_gradients_of_each_row_by_function_transforms(case, name, unchecked):
    """`torch.func` shows no numbers to look at; the gradients are those of the rows run together."""
    point = truth(case)

    def loss(*leaves):
        rows = [leaf.unsqueeze(0) for leaf in leaves]
        retrieved, _ = call(case, dict(zip(point.arguments, rows, strict=True)), backend=name)
        return retrieved.square().sum()

    leaves = tuple(leaves_of(point).values())
    every = tuple(range(len(leaves)))
    found = torch.func.vmap(torch.func.grad(loss, argnums=every))(*leaves)
    retrieved, _ = call(case, dict(zip(point.arguments, leaves, strict=True)), backend=name)
    true = torch.autograd.grad(retrieved.square().sum(), leaves)
    assert all(relative(a, b) < 1e-12 for a, b in zip(found, true, strict=True))


@cases
def test_fake_tensors_have_the_shapes_of_real_ones(case, memory_ways, unchecked):
    point = truth(case)
    with FakeTensorMode():
        arguments = {
            name: torch.empty(value.shape, dtype=value.dtype, requires_grad=True)
            for name, value in point.arguments.items()
        }
        found = call(case, arguments, **memory_ways)
        sum(result.sum() for result in found).backward()
    assert [result.shape for result in found] == [result.shape for result in point.results]


@cases
def test_without_gradients_the_results_are_the_same(case, memory_ways):
    arguments = truth(case, (2, 20)).arguments
    leaves = {name: value.clone().requires_grad_() for name, value in arguments.items()}
    true = call(case, leaves, **memory_ways)
    with torch.inference_mode():
        found = call(case, arguments, **memory_ways)
    for a, b in zip(found, true, strict=True):
        assert relative(a, b) < 1e-14 and not a.requires_grad
