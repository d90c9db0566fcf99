"""An op and the oracle run at one random point: `truth` draws it for a case of either op, `call` runs the op there."""

import contextlib
from functools import cache, singledispatch
from typing import NamedTuple

import numpy as np
import pytest
import torch

from fastweights import ops
from fastweights.errors import UserError
from fastweights.ops.delta_memory import MomentumState
from fastweights.oracle import delta_memory_gradcheck as memories
from fastweights.oracle import fast_weight_rnn_gradcheck as recurrences
from fastweights.oracle.gradcheck import relative_error

ALWAYS, SOMETIMES, NEVER = 10.0, 0.7, 0.01
"""Scales of values and memory at which the norm clamp acts at all steps, at some, at none."""
RESULTS = {recurrences.Case: ("outputs", "h(T)", "A(T)"), memories.Case: ("retrieved", "F", "S")}
STATE = ("memory", "velocity")
"""Arguments without a time, which a memory carries."""


class Point(NamedTuple):
    """What goes in, by name, and what the oracle says must come out: tensors in float64.

    `weights` are of the scalar Σ weight · result, whose gradient is taken.
    """

    case: object
    arguments: dict[str, torch.Tensor]
    weights: tuple[torch.Tensor, ...]
    results: tuple[torch.Tensor, ...]
    gradients: dict[str, torch.Tensor]


@singledispatch
def truth(case, *args, **options) -> Point:
    """Draw a point for a case and let the oracle run it; without `carried` the start is zero."""
    raise TypeError(case)


@truth.register
@cache
def _(case: recurrences.Case, shape, carried=True, seed=0):
    """`shape` is (batch, time, hidden)."""
    rng = np.random.default_rng([seed, *shape])
    drawn = recurrences.draw(
        case, rng, **dict(zip(("batch", "time", "hidden"), shape, strict=True))
    )
    start = ("hidden", "memory")
    if not carried:
        drawn |= {name: np.zeros_like(drawn[name]) for name in start}
    network, outcome = recurrences.run(case, drawn)
    found = (outcome.outputs, outcome.hidden, outcome.memory)
    weights = tuple(rng.standard_normal(array.shape) for array in found)
    gradients = network.backward(outcome, *weights)
    names = [name for name in drawn if carried or name not in start]
    return Point(
        case,
        {name: torch.tensor(drawn[name]) for name in names},
        tuple(map(torch.tensor, weights)),
        tuple(map(torch.tensor, found)),
        {name: torch.tensor(gradients[name]) for name in names},
    )


@truth.register
@cache
def _(case: memories.Case, shape=(3, 7), sizes=(4, 3, 4), carried=True, scale=1.0, seed=0):
    """`shape` is (batch, time); `sizes` are those of both keys and of the values, the second unused with one key."""
    rng = np.random.default_rng([seed, *shape, *sizes])
    sizes = sizes if case.keys == 2 else (sizes[0], sizes[2])
    batch, time = shape
    rows = []
    for _ in range(batch):
        given = memories.draw(case, rng, time=time, sizes=sizes, scale=scale)
        if not carried:
            given |= {name: np.zeros_like(given[name]) for name in STATE if name in given}
        outcome = case.memory.forward(given)
        moving = () if outcome.velocity is None else (outcome.velocity,)
        found = (outcome.retrieved, outcome.memory, *moving)
        weights = tuple(rng.standard_normal(array.shape) for array in found)
        if not case.reads:
            weights = (np.zeros_like(weights[0]), *weights[1:])
        rows.append((given, weights, found, case.memory.backward(given, outcome, *weights)))
    given, weights, found, gradients = zip(*rows, strict=True)
    names = [name for name in given[0] if carried or name not in STATE]

    def stack(arrays):
        return torch.tensor(np.stack(arrays))

    return Point(
        case,
        {name: stack([row[name] for row in given]) for name in names},
        tuple(stack(arrays) for arrays in zip(*weights, strict=True)),
        tuple(stack(arrays) for arrays in zip(*found, strict=True)),
        {name: stack([row[name] for row in gradients]) for name in names},
    )


@contextlib.contextmanager
def skipped_where_refused(backend, lacking=("cuda",)):
    """Skip a form that has no kernels in some backends; all others take every form."""
    try:
        yield
    except UserError as error:
        if backend not in lacking or "cannot run" not in str(error):
            raise
        pytest.skip(str(error))


@singledispatch
def call(case, arguments, **options) -> tuple[torch.Tensor, ...]:
    """Run the op on named arguments; what is not retrieved is zeros."""
    raise TypeError(case)


@call.register
def _(case: recurrences.Case, arguments, **options):
    return ops.fast_weight_rnn(**arguments, **case.options, **options)


@call.register
def _(case: memories.Case, arguments, **options):
    def parts(name):
        return tuple(arguments[f"{name}[{n}]"] for n in range(2) if f"{name}[{n}]" in arguments)

    memory = arguments.get("memory")
    if case.momentum and memory is not None:
        memory = MomentumState(memory, arguments["velocity"])
    lacking = ("cpu", "cuda") if case.momentum else ("cuda",)
    with skipped_where_refused(options.get("backend"), lacking):
        retrieved, state = ops.delta_memory(
            parts("keys"),
            arguments["values"],
            arguments["strength"],
            **{
                "queries": parts("queries") or None,
                "memory": memory,
                "rule": case.rule,
                "gate": arguments.get("gate", case.gate),
                "erase": arguments.get("erase"),
                "momentum": arguments.get("momentum"),
                "combine": case.combine,
                "read_norm": case.norm,
            }
            | options,
        )
    retrieved = torch.zeros_like(arguments["values"]) if retrieved is None else retrieved
    return (retrieved, *state) if case.momentum else (retrieved, state)


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
    names = RESULTS[type(point.case)][: len(found)]
    pairs = list(zip(names, found, point.results, strict=True))
    pairs += [(f"∂{name}", g, point.gradients[name]) for name, g in gradients.items()]
    return {name: relative(a, b) for name, a, b in pairs}


def relative(found, true):
    return relative_error(
        found.detach().cpu().double().numpy(), true.detach().cpu().double().numpy()
    )
