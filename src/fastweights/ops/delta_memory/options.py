"""What every backend of the memories takes, each thing named once; `delta_memory` documents them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor

from fastweights.ops.delta_memory.decay import Gate

Tensors = tuple[Tensor, ...]
"""Factors of keys or queries."""


class MomentumState(NamedTuple):
    """The state of a memory with momentum: F, and S, which each step adds to α F."""

    memory: Float[Tensor, "*lead *keys value"]
    velocity: Float[Tensor, "*lead *keys value"]


class Inputs(NamedTuple):
    """The tensors, with one leading dimension once they reach a backend.

    Attributes:
        keys, values, strength, queries, memory: as given, but for `keys`, `values`, `strength` and `queries` being 0 at
            padded steps.
        gate: α, 1 at padded steps; None for 1. See `decay` for its shapes.
        erase: e, 0 at padded steps; None for β k.
        mask: False where a step is padded, which the clamp must know; None: all are real.
        read_mask: False where nothing is read; None: all are read.
        momentum: η, 1 at padded steps; None: there is no S.
        velocity: S before the first step; None: zeros.
    """

    keys: tuple[Float[Tensor, "*lead time _"], ...]
    values: Float[Tensor, "*lead time value"]
    strength: Float[Tensor, "*lead time"]
    queries: tuple[Float[Tensor, "*lead time *_"], ...] | None = None
    memory: Float[Tensor, "*lead *keys value"] | None = None
    gate: Gate | None = None
    mask: Bool[Tensor, "*lead time"] | None = None
    read_mask: Bool[Tensor, "*lead time"] | None = None
    erase: Float[Tensor, "*lead time key"] | None = None
    momentum: Float[Tensor, "*lead time"] | None = None
    velocity: Float[Tensor, "*lead *keys value"] | None = None


def state_of(tensors: Sequence[Tensor]) -> Tensor | MomentumState:
    """Return what a call hands on, given F or F and S."""
    return tensors[0] if len(tensors) == 1 else MomentumState(*tensors)


class Options(NamedTuple):
    """What is not a tensor.

    Attributes:
        clamp: whether the norm of F is held at 1, the gate "norm".
        rule, combine, read_norm, norm_eps, chunk, unit_eps, query_scale: as given.
    """

    rule: str = "delta"
    clamp: bool = False
    combine: str = "product"
    read_norm: bool = True
    norm_eps: float = 1e-5
    chunk: int | None = None
    unit_eps: float | None = None
    query_scale: float = 1.0
