"""The memories run by an op and by the oracle at one point."""

from functools import cache
from typing import NamedTuple

import numpy as np
import torch

from fastweights import ops
from fastweights.oracle import delta_memory_gradcheck as gradcheck
from fastweights.oracle.gradcheck import relative_error

ALWAYS, SOMETIMES, NEVER = 10.0, 0.7, 0.01
"""Scales of values and memory at which the clamp acts at all steps, at some, at none."""


class Point(NamedTuple):
    """What goes in, by name, and what the oracle says must come out: tensors in float64."""

    arguments: dict[str, torch.Tensor]
    weights: tuple[
        torch.Tensor, ...
    ]  # of the scalar Σ weight · (retrieved, F), whose gradient is taken
    results: tuple[torch.Tensor, ...]
    gradients: dict[str, torch.Tensor]


@cache
def truth(case, shape=(3, 7), sizes=(4, 3, 4), carried=True, scale=1.0, seed=0):
    """Draw a batch for a case and let the oracle run its rows; without `carried` the start is zero.

    `shape` is (batch, time); `sizes` are those of both keys and of the values, the second unused with one key.
    """
    rng = np.random.default_rng([seed, *shape, *sizes])
    sizes = sizes if case.keys == 2 else (sizes[0], sizes[2])
    batch, time = shape
    rows = []
    for _ in range(batch):
        given = gradcheck.draw(case, rng, time=time, sizes=sizes, scale=scale)
        if not carried:
            given["memory"] = np.zeros_like(given["memory"])
        outcome = case.memory.forward(given)
        found = (outcome.retrieved, outcome.memory)
        weights = tuple(rng.standard_normal(array.shape) for array in found)
        if not case.reads:
            weights = (np.zeros_like(weights[0]), weights[1])
        rows.append((given, weights, found, case.memory.backward(given, outcome, *weights)))
    if not carried:
        for given, *_ in rows:
            del given["memory"]
    given, weights, found, gradients = zip(*rows, strict=True)

    def stack(arrays):
        return torch.tensor(np.stack(arrays))

    return Point(
        {name: stack([row[name] for row in given]) for name in given[0]},
        tuple(stack(arrays) for arrays in zip(*weights, strict=True)),
        tuple(stack(arrays) for arrays in zip(*found, strict=True)),
        {name: stack([row[name] for row in gradients]) for name in given[0]},
    )


def call(case, arguments, **options):
    """Run the op on named arguments; what is not retrieved is zeros."""

    def parts(name):
        return tuple(arguments[f"{name}[{n}]"] for n in range(2) if f"{name}[{n}]" in arguments)

    retrieved, memory = ops.delta_memory(
        parts("keys"),
        arguments["values"],
        arguments["strength"],
        **{
            "queries": parts("queries") or None,
            "memory": arguments.get("memory"),
            "rule": case.rule,
            "gate": arguments.get("gate", case.gate),
            "combine": case.combine,
            "read_norm": case.norm,
        }
        | options,
    )
    return torch.zeros_like(arguments["values"]) if retrieved is None else retrieved, memory


def leaves_of(point, dtype=torch.float64, device="cpu"):
    return {
        name: value.to(device, dtype, copy=True).requires_grad_()
        for name, value in point.arguments.items()
    }


def results_and_gradients(case, point, dtype=torch.float64, device="cpu", **options):
    """Run the op at a point; its results, and the gradient of every argument by name."""
    leaves = leaves_of(point, dtype, device)
    found = call(case, leaves, **options)
    scalar = sum((w.to(device, dtype) * r).sum() for w, r in zip(point.weights, found, strict=True))
    scalar.backward()
    return found, {name: leaf.grad for name, leaf in leaves.items()}


def errors(point, found, gradients):
    """The relative error of every result and gradient, by name."""
    pairs = list(zip(("retrieved", "F"), found, point.results, strict=True))
    pairs += [(f"∂{name}", g, point.gradients[name]) for name, g in gradients.items()]
    return {name: relative(a, b) for name, a, b in pairs}


def relative(found, true):
    return relative_error(
        found.detach().cpu().double().numpy(), true.detach().cpu().double().numpy()
    )
