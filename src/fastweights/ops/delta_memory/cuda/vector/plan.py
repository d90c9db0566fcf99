"""What the kernels are given, the steps of a chunk, and what the forward leaves for the backward in one buffer."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from fastweights.kernels.layout import offsets, round_up
from fastweights.kernels.triton.launch import ALIGNMENT, blocks
from fastweights.kernels.types import Size


class Arguments(NamedTuple):
    """Inputs of a forward; what is None is not there.

    Attributes:
        keys: k [rows, time, K].
        values: β v [rows, time, V].
        gate: α [rows, time], or for each feature of the key [rows, time, K].
        erase: e [rows, time, K], what a write takes away is F e.
        queries: q [rows, time, K].
        memory: F before the first step, [rows, K, V].
    """

    keys: Tensor
    values: Tensor
    gate: Tensor | None
    erase: Tensor | None
    queries: Tensor | None
    memory: Tensor | None


class BackwardArguments(NamedTuple):
    """Inputs of a backward: the gradients of the results, what the forward left, and what is wanted.

    `values` are those of a memory that erases nothing, which writes them.
    """

    gradient: Tensor | None
    final_gradient: Tensor | None
    saved: Tensor
    keys: Tensor
    values: Tensor | None
    gate: Tensor | None
    erase: Tensor | None
    queries: Tensor | None
    value_size: Size
    has_memory: bool
    wants_gate: bool


def by_feature(gate: Tensor | None) -> bool:
    """Return whether α is a number for each feature of the key, not one a step."""
    return gate is not None and gate.dim() == 3


def steps_of(keys: Tensor, V: Size) -> int:
    """Return the steps of a chunk: of more, tiles over all keys do not fit the registers, or the shared memory."""
    small = keys.shape[2] <= 64 and V <= 64 and keys.dtype == torch.float32
    return 32 if small else 16


def saved_size(call: Arguments) -> Size:
    """Return the numbers in `saved`."""
    return _places(_shapes(call, call.values.shape[2]))[1]


def empty_gradients(call: BackwardArguments) -> tuple[Tensor | None, ...]:
    """Return tensors of the shapes of the gradients."""
    rows, time, K = call.keys.shape
    new = call.keys.new_empty
    return (
        new(call.keys.shape),
        new(rows, time, call.value_size),
        new(call.gate.shape) if call.gate is not None and call.wants_gate else None,
        None if call.erase is None else new(call.erase.shape),
        None if call.queries is None else new(call.queries.shape),
        new(rows, K, call.value_size) if call.has_memory else None,
    )


def _shapes(call: Arguments | BackwardArguments, V: Size) -> dict[str, tuple[Size, ...]]:
    """Return the shapes of what the forward leaves.

    `before`, `after`, F at the start of every chunk; q kᵀ, where something is read; e kᵀ, u, (I + L)⁻¹ and W, where
    something is erased. Where α is one for each feature, also Γ of every chunk, after ∘ k and Γ ∘ q.
    """
    rows, time, K = call.keys.shape
    steps = steps_of(call.keys, V)
    chunks = blocks(time, steps)
    shapes: dict[str, tuple[Size, ...]] = {
        "before": (rows, chunks, steps),
        "after": (rows, chunks, steps),
        "borders": (rows, chunks, K, V),
    }
    square = (rows, chunks, steps, steps)
    if call.queries is not None:
        shapes["attention"] = square
    if call.erase is not None:
        shapes |= {
            "lookups": square,
            "inverse": square,
            "writes": (rows, time, V),
            "W": (rows, time, K),
        }
    if by_feature(call.gate):
        shapes |= {"totals": (rows, chunks, K), "keys_behind": (rows, time, K)}
        if call.queries is not None:
            shapes["queries_up"] = (rows, time, K)
    return shapes


def _places(shapes: dict[str, tuple[Size, ...]]) -> tuple[dict[str, Size], Size]:
    return offsets({name: round_up(math.prod(shape), ALIGNMENT) for name, shape in shapes.items()})


def parts_of(saved: Tensor, call: Arguments | BackwardArguments, V: Size) -> dict[str, Tensor]:
    """Return the parts of `saved` by name."""
    shapes = _shapes(call, V)
    places = _places(shapes)[0]
    return {
        name: saved[places[name] :][: math.prod(shape)].view(shape)
        for name, shape in shapes.items()
    }
