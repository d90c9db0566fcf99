"""Layer normalisation of one feature, or of equal ones, is 0, whatever the feature is, and so are the gradients."""

import pytest
import torch

from fastweights import ops

BATCH, TIME = 2, 7
FUSED = pytest.mark.skipif(
    ops.backend.unavailable("delta_memory", "cpu") is not None, reason="no fused kernels here"
)
scales = pytest.mark.parametrize("scale", [1.0, 30.0, 1000.0])


def memory(factors, size, scale, equal, **ways):
    torch.manual_seed(0)
    values = (
        torch.randn(BATCH, TIME, 1).expand(-1, -1, size)
        if equal
        else torch.randn(BATCH, TIME, size)
    )
    keys = (torch.randn(BATCH, TIME, size), torch.randn(BATCH, TIME, 3))[:factors]
    queries = (torch.randn(BATCH, TIME, size), torch.randn(BATCH, TIME, 2, 3))[:factors]
    leaves = [
        leaf.clone().requires_grad_()
        for leaf in (*keys, *queries, scale * values, torch.rand(BATCH, TIME))
    ]
    retrieved, _ = ops.delta_memory(
        tuple(leaves[:factors]), *leaves[-2:], queries=tuple(leaves[factors:-2]), **ways
    )
    return retrieved, leaves


@scales
@pytest.mark.parametrize("rule, gate", [("delta", None), ("delta", "norm"), ("hebbian", None)])
@pytest.mark.parametrize("factors", [1, 2])
def test_a_memory_of_one_feature(factors, rule, gate, scale, memory_ways):
    retrieved, leaves = memory(factors, 1, scale, False, rule=rule, gate=gate, **memory_ways)
    (retrieved * torch.rand_like(retrieved)).sum().backward()
    assert not retrieved.any()
    assert not any(leaf.grad.any() for leaf in leaves)


@scales
@pytest.mark.parametrize("size", [2, 3, 7])
@pytest.mark.parametrize("factors", [1, 2])
def test_a_memory_of_equal_features(factors, size, scale, memory_ways):
    retrieved, _ = memory(factors, size, scale, True, gate="norm", **memory_ways)
    assert retrieved.abs().max() < 1e-4


@FUSED
@scales
@pytest.mark.parametrize("form, preliminary", [("inner", False), ("inner", True), ("flat", False)])
def test_a_recurrence_of_one_unit(form, preliminary, scale):
    """h is f(bias) at every step, and nothing but the bias has a gradient."""
    torch.manual_seed(0)
    drive, weight = scale * torch.randn(BATCH, TIME, 1), torch.full((1, 1), 0.3)
    leaves = [x.requires_grad_() for x in (drive, weight, torch.full((1,), 0.8))]
    bias, norm = torch.full((1,), 0.4, requires_grad=True), {}
    if preliminary:
        norm = {"preliminary_norm_weight": torch.ones(1), "preliminary_norm_bias": torch.zeros(1)}
    y, _, _ = ops.fast_weight_rnn(
        *leaves[:2], decay=0.9, rate=0.5, norm_weight=leaves[2], norm_bias=bias,
        nonlinearity="tanh", form=form, backend="cpu", **norm,
    )  # fmt: skip
    y.sum().backward()
    torch.testing.assert_close(y, bias.tanh().expand_as(y))
    torch.testing.assert_close(bias.grad, BATCH * TIME * (1 - bias.tanh() ** 2))
    assert not any(leaf.grad.any() for leaf in leaves)


@FUSED
@pytest.mark.parametrize("size", [2, 3, 7])
def test_the_first_step_of_equal_units(size):
    drive = torch.full((BATCH, 1, size), 1234.567)
    y, _, _ = ops.fast_weight_rnn(
        drive, torch.zeros(size, size), decay=0.9, rate=0.5, norm_weight=torch.ones(size),
        norm_bias=torch.full((size,), 0.4), nonlinearity="tanh", backend="cpu",
    )  # fmt: skip
    torch.testing.assert_close(y, torch.full_like(drive, 0.4).tanh())
