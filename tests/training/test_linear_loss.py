"""The loss of a linear head without all its logits at once, against `torch.nn.functional` on all of them."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from torch import nn

from fastweights import models
from fastweights.training.sources import linear_loss
from fastweights.training.sources.linear_loss import fuses, linear_cross_entropy
from rounding import assert_equal_but_for_rounding


def drawn(rows, features, classes, *, bias=True, scale=1.0, dtype=torch.float64):
    head = nn.Linear(features, classes, bias=bias, dtype=dtype)
    x = (scale * torch.randn(rows, features, dtype=dtype)).requires_grad_()
    return x, head, torch.randint(classes, (rows,))


def gradients(loss, x, head):
    return torch.autograd.grad(loss, [x, *head.parameters()])


@given(
    rows=st.integers(1, 12),
    classes=st.integers(1, 9),
    product=st.integers(1, 60),
    softmax=st.integers(1, 30),
    bias=st.booleans(),
    scale=st.sampled_from([1.0, 1e3]),
)
def test_loss_and_gradients_are_torchs_however_it_is_cut(
    rows, classes, product, softmax, bias, scale
):
    x, head, targets = drawn(rows, 5, classes, bias=bias, scale=scale)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear_loss, "_PRODUCT", product)
        patch.setattr(linear_loss, "_SOFTMAX", softmax)
        found = linear_cross_entropy(x, head, targets)
    true = F.cross_entropy(head(x), targets)
    torch.testing.assert_close(found, true)
    for a, b in zip(gradients(found, x, head), gradients(true, x, head), strict=True):
        torch.testing.assert_close(a, b)


def test_float32_of_many_classes():
    x, head, targets = drawn(40, 16, 30_000, dtype=torch.float32)
    found, true = linear_cross_entropy(x, head, targets), F.cross_entropy(head(x), targets)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, true)
    for a, b in zip(gradients(found, x, head), gradients(true, x, head), strict=True):
        assert (a - b).norm() <= 2e-6 * b.norm()


def test_finite_differences():
    x, head, targets = drawn(4, 3, 5)

    def loss(x, weight, bias):
        twin = nn.Linear(3, 5, dtype=torch.float64)
        twin.weight, twin.bias = weight, bias  # parameters that autograd knows
        return linear_cross_entropy(x, twin, targets)

    weight, bias = head.weight, head.bias
    assert torch.autograd.gradcheck(loss, (x, weight, bias))


def test_only_what_requires_a_gradient_gets_one():
    x, head, targets = drawn(4, 3, 5)
    head.weight.requires_grad_(False)
    linear_cross_entropy(x.detach(), head, targets).backward()
    assert head.weight.grad is None
    assert x.grad is None
    assert head.bias.grad is not None


def test_a_second_backward_gives_the_same_and_a_second_derivative_is_refused():
    x, head, targets = drawn(4, 3, 5)
    loss = linear_cross_entropy(x, head, targets)
    first = torch.autograd.grad(loss, x, retain_graph=True)[0]
    assert torch.equal(torch.autograd.grad(loss, x, retain_graph=True)[0], first)
    (slope,) = torch.autograd.grad(loss.square(), x, create_graph=True)
    torch.testing.assert_close(slope.detach(), 2 * loss.detach() * first)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()


def test_no_more_than_a_block_of_logits_is_held():
    x, head, targets = drawn(64, 4, 3_000)
    sizes = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor):
                sizes.append(result.numel())
            return result

    with pytest.MonkeyPatch.context() as patch, Watch():
        patch.setattr(linear_loss, "_PRODUCT", 8 * 3_000)
        linear_cross_entropy(x, head, targets).backward()
    assert max(sizes) == 8 * 3_000


class Other(nn.Linear):
    """A linear layer that may do anything."""


def test_what_the_loss_stands_for():
    head = nn.Linear(3, 4)
    assert fuses(head)
    assert not fuses(Other(3, 4))
    assert not fuses(nn.Sequential(head))
    assert not fuses(nn.Linear(3, 4, device="meta"))
    assert not fuses(nn.Linear(3, 4, dtype=torch.bfloat16))
    with torch.autocast("cpu", torch.bfloat16):
        assert not fuses(head)
    watched = nn.Linear(3, 4)
    watched.register_forward_hook(lambda *_: None)
    assert not fuses(watched)
    nn.utils.parametrizations.weight_norm(head)
    assert not fuses(head)


@pytest.mark.parametrize("name", ["lstm", "awd-fwm"])
def test_a_model_without_its_head_gives_what_the_head_takes(name):
    model = models.from_config(models.model_config(name, input=7, hidden=4, classes=7)).eval()
    x = torch.randint(7, (2, 5))
    logits, state = model(x)
    features, same = model(x, apply_head=False)
    assert_equal_but_for_rounding(model.head(features), logits)
    assert type(same) is type(state)
    last, _ = model(x, apply_head=False, last_only=True)
    assert_equal_but_for_rounding(last, features[:, -1])
