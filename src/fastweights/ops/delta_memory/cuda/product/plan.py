"""Sizes, tiles and segments of time of a call, and the layout of `saved`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fastweights.kernels.triton.launch import ALIGNMENT, blocks, precision, side
from fastweights.kernels.types import Size

SEGMENT = 256
"""Steps between two makings of F: reading what was written costs as much as reading F at about 700 for d = 32."""
STAGES = 2
"""Of the loops' loads in parallel kernels; with three the registers of some do not suffice."""
LARGEST = 64
"""Of a factor's features and of the values: of more no tile fits."""


class Arguments(NamedTuple):
    """Inputs of a forward; None where there is none.

    Attributes:
        outer_key, inner_key: [rows, time, outer] and [rows, time, inner].
        values: [rows, time, value].
        strength: [rows, time].
        chain: n⁰ [rows, time, outer].
        query: e [rows, time, links, inner].
        memory: [rows, outer, inner, value].
        real: [rows, time] bool.
        delta, clamp, norm: the rule, whether the norm of F is held, whether reads are normalised.
        segment: steps between two makings of F.
        eps: ε of the normalisation.
    """

    outer_key: Tensor
    inner_key: Tensor
    values: Tensor
    strength: Tensor
    chain: Tensor | None
    query: Tensor | None
    memory: Tensor | None
    real: Tensor | None
    delta: bool
    clamp: bool
    norm: bool
    segment: int
    eps: float

    @property
    def memory_shape(self) -> tuple[Size, ...]:
        """The shape of a memory."""
        rows, _, outer = self.outer_key.shape
        return (rows, outer, self.inner_key.shape[2], self.values.shape[2])

    @property
    def links(self) -> Size:
        """How many reads are chained; 0 if nothing is read."""
        return 0 if self.query is None else self.query.shape[2]


class BackwardArguments(NamedTuple):
    """Inputs of a backward: gradients of the results, what the forward saved, made and took, and what is wanted."""

    retrieved_gradient: Tensor | None
    final_gradient: Tensor | None
    saved: Tensor
    retrieved: Tensor
    final: Tensor
    outer_key: Tensor
    inner_key: Tensor
    values: Tensor
    strength: Tensor
    chain: Tensor | None
    query: Tensor | None
    memory: Tensor | None
    real: Tensor | None
    delta: bool
    clamp: bool
    norm: bool
    segment: int
    eps: float
    wants_memory: bool

    @property
    def forward(self) -> Arguments:
        """Return the inputs of the forward."""
        return Arguments(*self[5:-1])


class Saved(NamedTuple):
    """What the backward needs of the forward, each at every step but for `starts`.

    Attributes:
        chain: n⁰ … of all links but the last's result, [rows, time, links, outer]; empty where n⁰ is all.
        scale: 1/σ of every link, [rows, time, links].
        found, writes, tailed: f, u and u as its block's end has it, [rows, time, value].
        factors: the clamp's, [rows, time].
        grown: ‖F'‖² where the clamp acts, else 0, [rows, time].
        starts: F at the start of each segment but the first, [segments - 1, rows, outer, inner, value].
    """

    chain: Tensor
    scale: Tensor
    found: Tensor
    writes: Tensor
    tailed: Tensor
    factors: Tensor
    grown: Tensor
    starts: Tensor


def saved_shapes(call: Arguments) -> tuple[tuple[Size, ...], ...]:
    """Return the shapes of `Saved`."""
    rows, time, value = call.values.shape
    links = call.links
    chained = links if links > 1 else 0
    segments = blocks(time, call.segment)
    return (
        (rows, time, chained, call.outer_key.shape[2]),
        (rows, time, links),
        *((rows, time, value),) * 3,
        *((rows, time),) * 2,
        (segments - 1, *call.memory_shape),
    )


def saved_size(call: Arguments) -> Size:
    """Return how many numbers `Saved` takes."""
    return sum(map(_aligned, saved_shapes(call)))


def split(call: Arguments, saved: Tensor) -> Saved:
    """Return the parts of `saved`."""
    parts, start = [], 0
    for shape in saved_shapes(call):
        parts.append(saved[start : start + math.prod(shape)].view(shape))
        start += _aligned(shape)
    return Saved(*parts)


def _aligned(shape: tuple[Size, ...]) -> Size:
    return blocks(math.prod(shape), ALIGNMENT) * ALIGNMENT


class Segment(NamedTuple):
    """A run of steps in which F is not made.

    Attributes:
        number, first, steps: its number, its first step and how many it has.
        blocks: of C steps.
    """

    number: int
    first: int
    steps: int
    blocks: int


class Plan(NamedTuple):
    """What kernels are compiled for.

    Attributes:
        sizes: OUTER, INNER, VALUE and the sides of their tiles, by the kernels' names.
        block: C, the steps of a block.
        warps: of a program of a parallel kernel; the sequential ones have `step_warps`.
    """

    sizes: dict[str, int]
    block: int
    precision: str
    warps: int
    step_warps: int

    def constants(self, *names: str, precise: bool = True) -> dict[str, Any]:
        """Return the constants that a kernel takes: the sizes named, C, and, if it multiplies tiles, P."""
        constants: dict[str, Any] = {name: self.sizes[name] for name in names}
        return constants | {"C": self.block} | ({"P": self.precision} if precise else {})


def plan_of(call: Arguments) -> Plan:
    """Return the plan of a call."""
    _, outer, inner, value = call.memory_shape
    sizes = {"OUTER": outer, "INNER": inner, "VALUE": value}
    tiles = {"SO": side(outer), "SI": side(inner), "SV": side(value)}
    dtype, largest = call.values.dtype, max(tiles.values())
    small = min(call.segment, call.values.shape[1]) <= 16 or dtype == torch.float64 or largest > 32
    return Plan(
        sizes | tiles,
        block=16 if small else 32,
        precision=precision(dtype),
        warps=8 if largest > 32 else 4,
        step_warps=2 if largest > 32 else 1,
    )


def segments(call: Arguments, block: int) -> Iterator[Segment]:
    """Iterate over the segments of a call."""
    time = call.values.shape[1]
    for number, first in enumerate(range(0, time, call.segment)):
        steps = min(call.segment, time - first)
        yield Segment(number, first, steps, blocks(steps, block))
