"""The LSTM by `torch.nn.LSTM` and by the op, at random points."""

from __future__ import annotations

import torch
from torch import Tensor

from fastweights import ops

TOLERANCE = {torch.float64: 1e-12, torch.float32: 5e-6}
NAMES = ("outputs", "h", "c", "∂gates", "∂W", "∂h(0)", "∂c(0)")


def arguments(batch=5, time=7, size=9, *, dtype=torch.float64, state=True, classes=None, seed=0):
    """Random tensors: gates (a table of them for that many classes), W, and a state or None."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int, scale: float = 1.0) -> Tensor:
        return (scale * torch.randn(shape, generator=generator, dtype=torch.float64)).to(dtype)

    steps = (batch, time) if classes is None else (classes,)
    chosen = None
    if classes is not None:
        chosen = torch.randint(classes, (batch, time), generator=generator)
    return {
        "gates": draw(*steps, 4 * size),
        "recurrent_weight": draw(4 * size, size, scale=1.5 / size**0.5),
        "hidden": draw(batch, size) if state else None,
        "cell": draw(batch, size) if state else None,
        "classes": chosen,
    }


def by_torch(gates, recurrent_weight, *, hidden, cell, classes):
    """The same by `torch.nn.LSTM`, whose input weight is the identity."""
    size = recurrent_weight.shape[1]
    layer = torch.nn.LSTM(4 * size, size, bias=False, batch_first=True, dtype=gates.dtype)
    weights = {
        "weight_ih_l0": torch.eye(4 * size, dtype=gates.dtype),
        "weight_hh_l0": recurrent_weight,
    }
    x = gates if classes is None else gates[classes]
    state = None if hidden is None else (hidden[None], cell[None])
    outputs, (h, c) = torch.func.functional_call(layer, weights, (x, state))
    return outputs, h[0], c[0]


def run(function, given, directions=None, **options):
    """Results and, by directions for the results (None: not used), the gradients of all that is a real number."""
    leaves = {
        name: x.clone().requires_grad_() if x is not None and x.is_floating_point() else x
        for name, x in given.items()
    }
    results = function(**leaves, **options)
    if directions is None:
        generator = torch.Generator().manual_seed(1)
        directions = [torch.randn(r.shape, generator=generator).to(r.dtype) for r in results]
    pairs = zip(results, directions, strict=True)
    total = sum((r * d).sum() for r, d in pairs if d is not None)
    inputs = [x for x in leaves.values() if x is not None and x.requires_grad]
    return [*(r.detach() for r in results), *torch.autograd.grad(total, inputs)]


def by_op(**given):
    return ops.lstm(given.pop("gates"), given.pop("recurrent_weight"), **given)


def check(found, true, dtype):
    for name, a, b in zip(NAMES, found, true, strict=False):
        error = ((a - b).norm() / b.norm().clamp(min=1)).item()
        assert error <= TOLERANCE[dtype], f"{name}: {error:.1e}"
