"""Sizes, flags and memory layout of one fused call, known before any kernel runs.

Offsets and strides count scalars. A *panel* holds the four gates of `lanes` hidden units side by side, four vectors;
the last one is filled up with units that stay 0.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

Size = Any  # an int, or a symbolic one while torch traces with unknown sizes
SEGMENT_ROWS = 256  # steps of batch rows whose gate gradients are kept for ∂W at a time


class Plan(NamedTuple):
    """Everything integral that the kernels are told; a tuple, so that it crosses into them cheaply.

    Attributes:
        batch, time, hidden: sizes; the gates have rows of 4 hidden.
        lanes, panels: of a vector; of a row of gates.
        width: of a panel, 4 lanes.
        units: hidden units with those that fill up the last panel.
        columns: the same, filled up to whole widths.
        has_hidden, looked_up: whether h(0) is given (else it is 0); whether rows of gates are found by class.
        gate_step, cell_step: of the saved gates and cells, from a step to the next; 0 keeps but the last.
        cells: where the cells begin behind the saved gates, c(0) first.
    """

    batch: int
    time: int
    hidden: int
    lanes: int
    panels: int
    width: int
    units: int
    columns: int
    has_hidden: int
    looked_up: int
    gate_step: int
    cell_step: int
    cells: int


class Addresses(NamedTuple):
    """Where the tensors of a call lie, forward and backward; 0 where there is none."""

    gates: int
    classes: int
    recurrent_weight: int
    hidden: int
    cell: int
    lengths: int
    outputs: int
    saved: int
    scratch: int
    last_hidden: int = 0
    last_cell: int = 0
    outputs_gradient: int = 0
    last_hidden_gradient: int = 0
    last_cell_gradient: int = 0
    gates_gradient: int = 0
    weight_gradient: int = 0
    hidden_gradient: int = 0
    cell_gradient: int = 0


def lay_out(
    batch: Size,
    time: Size,
    hidden: Size,
    *,
    lanes: int,
    has_hidden: bool,
    looked_up: bool,
    keep: bool,
) -> tuple[Plan, Size]:
    """Lay out a call; returns the plan and the scalars of `saved`."""
    panels = -(-hidden // lanes)
    width, units = 4 * lanes, panels * lanes
    kept = time if keep else 1
    plan = Plan(
        batch=batch,
        time=time,
        hidden=hidden,
        lanes=lanes,
        panels=panels,
        width=width,
        units=units,
        columns=-(-hidden // width) * width,
        has_hidden=int(has_hidden),
        looked_up=int(looked_up),
        gate_step=4 * batch * units if keep else 0,
        cell_step=batch * units if keep else 0,
        cells=4 * kept * batch * units,
    )
    return plan, plan.cells + (kept + 1) * batch * units


make_plan = lru_cache(maxsize=256)(lay_out)


class ForwardScratch(NamedTuple):
    """The layout of the forward's scratch.

    Attributes:
        packed: W, by panels: for each unit k of h, the weights of k in the panel's four gates.
        tiles: a panel's sums for every batch row.
        spares: a vector of zeros for each worker.
    """

    packed: int
    tiles: int
    spares: int


class BackwardScratch(NamedTuple):
    """The layout of the backward's scratch; `rows` counts the steps of batch rows in a segment.

    Attributes:
        steps, rows: time steps in a segment, and steps of batch rows.
        packed: Wᵀ, by panels of `width` columns: for each gate in the order of the panels, its weights.
        gates: the gradient by the gates before their nonlinearity, by panels, then rows.
        past: h(t-1), by panels of `width` columns, then rows.
        dh, dc: the gradient by h(t) and c(t) from later steps, for every batch row.
        weight: ∂W in the order of the panels.
        spare: a vector of zeros.
    """

    steps: int
    rows: int
    packed: int
    gates: int
    past: int
    dh: int
    dc: int
    weight: int
    spare: int


@lru_cache(maxsize=256)
def forward_scratch(plan: Plan, workers: int) -> tuple[ForwardScratch, int]:
    """Lay out the scratch of a forward; returns the layout and the scalars in all."""
    tiles = plan.panels * plan.hidden * plan.width
    spares = tiles + plan.batch * plan.width
    layout = ForwardScratch(packed=0, tiles=tiles, spares=spares)
    return layout, spares + workers * plan.lanes


@lru_cache(maxsize=256)
def backward_scratch(plan: Plan) -> tuple[BackwardScratch, int]:
    """Lay out the scratch of a backward; returns the layout and the scalars in all."""
    steps = max(1, min(plan.time, SEGMENT_ROWS // plan.batch))
    rows = steps * plan.batch
    sizes = {
        "packed": 4 * plan.units * plan.columns,
        "gates": rows * 4 * plan.units,
        "past": rows * plan.columns,
        "dh": plan.batch * plan.columns,
        "dc": plan.batch * plan.units,
        "weight": 4 * plan.units * plan.columns,
        "spare": plan.lanes,
    }
    offsets, end = {}, 0
    for name, size in sizes.items():
        offsets[name] = end
        end += size
    return BackwardScratch(steps=steps, rows=rows, **offsets), end
