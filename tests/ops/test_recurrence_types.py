"""Types, autocast and second derivatives."""

import pytest
import torch
from oracle_points import call, relative, truth

from fastweights.oracle.fast_weight_rnn_gradcheck import Case

CASE = Case(inner_steps=2)


def as_type(arguments, dtype):
    return {name: value.to(dtype) for name, value in arguments.items()}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_types_are_computed_in_single(dtype, backends):
    """Equal to the float32 result of the same rounded arguments; outputs are rounded at the end, the state is not."""
    rounded = as_type(truth(CASE, (3, 20, 8)).arguments, dtype)
    found = call(CASE, rounded, **backends)
    wide = call(CASE, as_type(rounded, torch.float32), **backends)
    assert [result.dtype for result in found] == [dtype, torch.float32, torch.float32]
    assert torch.equal(found[0], wide[0].to(dtype))
    assert torch.equal(found[1], wide[1]) and torch.equal(found[2], wide[2])


@pytest.mark.parametrize("drive_type", [torch.float32, torch.bfloat16])
def test_autocast_keeps_the_recurrence_in_single(drive_type, backends):
    """Outputs in the autocast type, the state in float32, and no product inside rounded to bfloat16."""
    arguments = as_type(truth(CASE, (3, 20, 8)).arguments, torch.float32)
    arguments["drive"] = arguments["drive"].to(drive_type).requires_grad_()
    arguments["recurrent_weight"].requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        outputs, h, A = call(CASE, arguments, **backends)
    assert (outputs.dtype, h.dtype, A.dtype) == (torch.bfloat16, torch.float32, torch.float32)
    single = arguments | {"drive": arguments["drive"].detach().float()}
    true = call(CASE, single, **backends)
    assert torch.equal(outputs, true[0].bfloat16())
    assert torch.equal(h, true[1]) and torch.equal(A, true[2])
    (outputs.float().sum() + A.sum()).backward()
    assert arguments["drive"].grad.dtype == drive_type
    assert arguments["recurrent_weight"].grad.dtype == torch.float32


def test_autocast_leaves_double_alone(backends):
    arguments = truth(CASE, (2, 5, 4)).arguments
    with torch.autocast("cpu", torch.bfloat16):
        found = call(CASE, arguments, **backends)
    for a, b in zip(found, call(CASE, arguments, **backends), strict=True):
        assert torch.equal(a, b) and a.dtype == torch.float64


@pytest.mark.parametrize(
    "way", [{"backend": "reference"}, {"backend": "chunked", "chunk": 2}], ids=str
)
@pytest.mark.parametrize(
    "case", [Case(nonlinearity="tanh"), Case(form="flat", nonlinearity="tanh")], ids=str
)
def test_second_derivatives(case, way):
    arguments = truth(case, (1, 4, 3)).arguments
    names = list(arguments)

    def function(*leaves):
        return call(case, dict(zip(names, leaves, strict=True)), **way)

    leaves = [arguments[name].clone().requires_grad_() for name in names]
    assert torch.autograd.gradgradcheck(function, leaves, atol=1e-5)


def test_without_gradients_the_results_are_the_same(backends):
    arguments = truth(CASE, (2, 20, 5)).arguments
    leaves = {name: value.clone().requires_grad_() for name, value in arguments.items()}
    true = call(CASE, leaves, **backends)
    with torch.inference_mode():
        found = call(CASE, arguments, **backends)
    for a, b in zip(found, true, strict=True):
        assert relative(a, b) < 1e-14 and not a.requires_grad


def test_only_what_is_asked_for_has_a_gradient(backends):
    """One argument at a time: its gradient is the one it has among all."""
    arguments = truth(CASE, (2, 5, 4)).arguments
    leaves = {name: value.clone().requires_grad_() for name, value in arguments.items()}
    sum((r**2).sum() for r in call(CASE, leaves, **backends)).backward()
    for name in arguments:
        alone = arguments | {name: arguments[name].clone().requires_grad_()}
        sum((r**2).sum() for r in call(CASE, alone, **backends)).backward()
        torch.testing.assert_close(alone[name].grad, leaves[name].grad, rtol=1e-11, atol=1e-11)
