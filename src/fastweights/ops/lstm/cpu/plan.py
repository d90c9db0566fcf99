"""Sizes, flags and memory layout of one fused call, known before any kernel runs.

Offsets and strides count scalars. A *panel* holds the four gates of `lanes` hidden units side by side, four vectors;
the last one is filled up with units that stay 0. Below, with the letters of the kernels:

    i, f, g, o  gates after their nonlinearity                  z       a gate before it
    h, c        hidden state, cell; h(0), c(0) before step 0    x̄       the gradient by x, where the equations have it

The tensor `saved`, and the scratch of the backward:

    saved    | gates of step 0: row 0, row 1, … | step 1 | … | c(0): row 0, row 1, … | c(1) | …
    scratch  | Wᵀ | a segment's z̄ | its h(t-1) | h̄ | c̄ | ∂W | zeros |
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from fastweights.kernels.layout import Packed, offsets, pack, round_up
from fastweights.kernels.types import Size

SEGMENT_ROWS = 256  # steps of batch rows whose gate gradients are kept for ∂W at a time


class Sizes(NamedTuple):
    """Sizes that a layout follows from.

    Attributes:
        batch, time, hidden: sizes; the gates have rows of 4 hidden.
        has_hidden, looked_up: whether h(0) is given (else it is 0); whether rows of gates are found by class.
        lanes: of a vector.
    """

    batch: Size
    time: Size
    hidden: Size
    has_hidden: bool
    looked_up: bool
    lanes: int


class Plan(NamedTuple):
    """All integers that the kernels of both passes need; flags are 0 or 1.

    Attributes:
        batch … lanes: as in `Sizes`.
        panels, width: of a row of gates; of a panel, 4 lanes.
        units: hidden units with those that fill up the last panel.
        columns: the same, filled up to whole widths.
        gate_step, cell_step: of the saved gates and cells, from a step to the next; 0 keeps but the last.
        cells: where the cells begin behind the saved gates, c(0) first.
        saved: scalars of `saved`.
    """

    batch: int
    time: int
    hidden: int
    has_hidden: int
    looked_up: int
    lanes: int
    panels: int
    width: int
    units: int
    columns: int
    gate_step: int
    cell_step: int
    cells: int
    saved: int


class Addresses(NamedTuple):
    """Where the tensors of a call lie, forward and backward; 0 where there is none."""

    gates: int = 0
    classes: int = 0
    recurrent_weight: int = 0
    hidden: int = 0
    cell: int = 0
    lengths: int = 0
    outputs: int = 0
    saved: int = 0
    scratch: int = 0
    last_hidden: int = 0
    last_cell: int = 0
    outputs_gradient: int = 0
    last_hidden_gradient: int = 0
    last_cell_gradient: int = 0
    gates_gradient: int = 0
    weight_gradient: int = 0
    hidden_gradient: int = 0
    cell_gradient: int = 0


def lay_out(sizes: Sizes, keep: bool) -> Plan:
    """Return the layout of a call, whose sizes may be symbolic; `keep` for a backward."""
    batch, lanes = sizes.batch, sizes.lanes
    panels = -(-sizes.hidden // lanes)
    width, units = 4 * lanes, panels * lanes
    kept = sizes.time if keep else 1
    cells = 4 * kept * batch * units
    return Plan(
        *sizes,
        panels=panels,
        width=width,
        units=units,
        columns=round_up(sizes.hidden, width),
        gate_step=4 * batch * units if keep else 0,
        cell_step=batch * units if keep else 0,
        cells=cells,
        saved=cells + (kept + 1) * batch * units,
    )


@lru_cache(maxsize=256)
def packed_plan(sizes: Sizes, keep: bool) -> Packed[Plan]:
    """Return the layout of a call as kernels read it."""
    return pack(lay_out(sizes, keep))


class ForwardScratch(NamedTuple):
    """The layout of the forward's scratch.

    Attributes:
        size: scalars in all.
        packed: W, by panels: for each unit k of h, the weights of k in the panel's four gates.
        tiles: a panel's sums for every batch row.
        spares: a vector of zeros for each worker.
    """

    size: int
    packed: int
    tiles: int
    spares: int


class BackwardScratch(NamedTuple):
    """The layout of the backward's scratch; `rows` counts the steps of batch rows in a segment.

    Attributes:
        steps, rows: time steps in a segment, and steps of batch rows.
        size: scalars in all.
        packed: Wᵀ, by panels of `width` columns: for each gate in the order of the panels, its weights.
        gates: the gradient by the gates before their nonlinearity, by panels, then rows.
        past: h(t-1), by panels of `width` columns, then rows.
        dh, dc: the gradient by h(t) and c(t) from later steps, for every batch row.
        weight: ∂W in the order of the panels.
        spare: a vector of zeros.
    """

    steps: int
    rows: int
    size: int
    packed: int
    gates: int
    past: int
    dh: int
    dc: int
    weight: int
    spare: int


@lru_cache(maxsize=256)
def packed_forward_scratch(plan: Plan, workers: int) -> Packed[ForwardScratch]:
    """Return the layout of a forward's scratch as kernels read it."""
    places, size = offsets(
        {
            "packed": plan.panels * plan.hidden * plan.width,
            "tiles": plan.batch * plan.width,
            "spares": workers * plan.lanes,
        }
    )
    return pack(ForwardScratch(size=size, **places))


@lru_cache(maxsize=256)
def packed_backward_scratch(plan: Plan) -> Packed[BackwardScratch]:
    """Return the layout of a backward's scratch as kernels read it."""
    steps = max(1, min(plan.time, SEGMENT_ROWS // plan.batch))
    rows = steps * plan.batch
    places, size = offsets(
        {
            "packed": 4 * plan.units * plan.columns,
            "gates": rows * 4 * plan.units,
            "past": rows * plan.columns,
            "dh": plan.batch * plan.columns,
            "dc": plan.batch * plan.units,
            "weight": 4 * plan.units * plan.columns,
            "spare": plan.lanes,
        }
    )
    return pack(BackwardScratch(steps=steps, rows=rows, size=size, **places))
