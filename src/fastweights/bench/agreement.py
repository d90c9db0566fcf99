"""Correctness before speed: how far each variant's results are from the reference's, in the run that times them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

Variant = Callable[[], Sequence[Tensor]]
"""One way to compute the same thing: outputs, then gradients."""


def both_ways(
    forward: Callable[[], Sequence[Tensor]], inputs: Sequence[Tensor], gradient: Tensor
) -> Variant:
    """Build a forward and backward pass: the outputs, then the gradients of the inputs from that of the first output.

    Example:
        >>> x = torch.tensor([1.0, 3.0], requires_grad=True)
        >>> outputs, gradient = both_ways(lambda: [x * x], [x], torch.ones(2))()
        >>> gradient.tolist()
        [2.0, 6.0]
    """

    def call() -> tuple[Tensor, ...]:
        outputs = forward()
        return *outputs, *torch.autograd.grad(outputs[0], inputs, gradient)

    return call


def error(results: Sequence[Tensor], truth: Sequence[Tensor]) -> float:
    """Return the largest difference, as a share of the largest entry of the true tensor it occurs in.

    Infinity where shapes or counts differ or anything is not finite.

    Example:
        >>> error([torch.tensor([1.0, 2.1])], [torch.tensor([1.0, 2.0])])  # doctest: +ELLIPSIS
        0.0499...
    """
    if len(results) != len(truth):
        return float("inf")
    worst = 0.0
    for result, true in zip(results, truth, strict=True):
        if result.shape != true.shape or not bool(torch.isfinite(result).all()):
            return float("inf")
        difference = (result.double() - true.double()).abs().max().item()
        scale = true.double().abs().max().item()
        worst = max(worst, difference / scale if scale else difference)
    return worst


def errors(variants: Mapping[str, Variant], truth: str) -> dict[str, float]:
    """Run every variant once and return its error against the variant named `truth`.

    Example:
        >>> ones = lambda: [torch.ones(2)]
        >>> errors({"reference": ones, "wrong": lambda: [torch.zeros(2)]}, "reference")
        {'wrong': 1.0}
    """
    true = [tensor.detach() for tensor in variants[truth]()]
    return {
        name: error([tensor.detach() for tensor in variant()], true)
        for name, variant in variants.items()
        if name != truth
    }
