"""The fast-weights recurrence run by an op and by the oracle at one point."""

from functools import cache
from typing import NamedTuple

import numpy as np
import torch

from fastweights import ops
from fastweights.oracle import gradcheck

STATE = ("hidden", "memory")


class Point(NamedTuple):
    """What goes in, by name, and what the oracle says must come out: tensors in float64."""

    arguments: dict[str, torch.Tensor]
    weights: tuple[
        torch.Tensor, ...
    ]  # of the scalar Σ weight · (outputs, h, A), whose gradient is taken
    results: tuple[torch.Tensor, ...]
    gradients: dict[str, torch.Tensor]


@cache
def truth(case, shape, carried=True, seed=0):
    """Draw a point for a case and let the oracle run it; without `carried` the start is zero."""
    rng = np.random.default_rng([seed, *shape])
    batch, time, hidden = shape
    drawn = gradcheck.draw(case, rng, batch=batch, time=time, hidden=hidden)
    if not carried:
        drawn |= {name: np.zeros_like(drawn[name]) for name in STATE}
    network, outcome = gradcheck.run(case, drawn)
    found = (outcome.outputs, outcome.hidden, outcome.memory)
    weights = tuple(rng.standard_normal(array.shape) for array in found)
    gradients = network.backward(outcome, *weights)
    if not carried:
        drawn = {name: value for name, value in drawn.items() if name not in STATE}
    return Point(
        {name: torch.tensor(value) for name, value in drawn.items()},
        tuple(map(torch.tensor, weights)),
        tuple(map(torch.tensor, found)),
        {name: torch.tensor(gradients[name]) for name in drawn},
    )


def call(case, arguments, **options):
    """Run the op on named arguments."""
    rest = {k: v for k, v in arguments.items() if k not in ("drive", "recurrent_weight")}
    return ops.fast_weight_rnn(
        arguments["drive"], arguments["recurrent_weight"], **rest, **case.options, **options
    )


def results_and_gradients(case, point, dtype=torch.float64, device="cpu", **options):
    """Run the op at a point; its outputs and state, and the gradient of every argument by name."""
    leaves = {
        name: value.to(device, dtype, copy=True).requires_grad_()
        for name, value in point.arguments.items()
    }
    found = call(case, leaves, **options)
    scalar = sum((w.to(device, dtype) * r).sum() for w, r in zip(point.weights, found, strict=True))
    scalar.backward()
    return found, {name: leaf.grad for name, leaf in leaves.items()}


def errors(point, found, gradients):
    """The relative error of every result and gradient, by name."""
    names = ("outputs", "h(T)", "A(T)")
    pairs = list(zip(names, found, point.results, strict=True))
    pairs += [(f"∂{name}", g, point.gradients[name]) for name, g in gradients.items()]
    return {name: relative(a, b) for name, a, b in pairs}


def relative(found, true):
    return gradcheck.relative_error(
        found.detach().cpu().double().numpy(), true.detach().cpu().double().numpy()
    )
