"""What all batch rows share: ∂W, and the gradient of gates that are looked up by class."""

from __future__ import annotations

from fastweights.kernels.access import load_first, store_first
from fastweights.kernels.blocks import load_rows, zeros
from fastweights.kernels.compile import helper
from fastweights.kernels.lines import clear
from fastweights.kernels.simd import at, load, offset, pointer, store
from fastweights.kernels.types import Pointer, Real, Record
from fastweights.ops.lstm.cpu.product import ROWS, add_tile


@helper
def begin(
    plan: Record, layout: Record, tensors: Record, worker: int, workers: int, like: Real
) -> None:  # fmt: skip
    """Set a share of the sums to 0."""
    weight = offset(pointer(tensors.scratch, like), layout.weight)
    area = plan.width * plan.columns
    for panel in range(worker, plan.panels, workers):
        clear(offset(weight, panel * area), area)


@helper
def copy_previous(
    plan: Record, layout: Record, tensors: Record, row: int, t: int, n: int, like: Real
) -> None:  # fmt: skip
    """Copy h(t-1) of one row to its place n in the segment, by panels of columns."""
    size, lanes, width = plan.hidden, plan.lanes, plan.width
    past = offset(pointer(tensors.scratch, like), layout.past + n * width)
    h = pointer(tensors.outputs, like)
    place = (row * plan.time + t - 1) * size
    if t == 0:
        h, place = pointer(tensors.hidden, like), row * size
    real = t > 0 or plan.has_hidden
    for column in range(0, plan.columns, width):
        for part in range(0, width, lanes):
            values = zeros(past, 1)[0]
            if real and column + part < size:
                values = load_first(h, place + column + part, size - column - part)
            store(past, column * layout.rows + part, values)


@helper
def add_weight(
    plan: Record, layout: Record, tensors: Record, segment: int, worker: int, workers: int,
    like: Real,
) -> None:  # fmt: skip
    """∂W += Σ z̄(t) h(t-1)ᵀ over a segment, and ∂gates of each class += its z̄, for every workers-th panel."""
    width, lanes = plan.width, plan.lanes
    scratch = pointer(tensors.scratch, like)
    start = segment * layout.steps
    steps = min(layout.steps, plan.time - start)
    rows = steps * plan.batch
    for panel in range(worker, plan.panels, workers):
        z = offset(scratch, layout.gates + panel * layout.rows * width)
        weight = offset(scratch, layout.weight + panel * width * plan.columns)
        for column in range(0, plan.columns, width):
            past = offset(scratch, layout.past + column * layout.rows)
            for line in range(0, width, ROWS):
                out = offset(weight, line * plan.columns + column)
                add_tile(offset(z, line), 1, width, rows, past, out, plan.columns)
        if plan.looked_up:
            _add_looked_up(plan, tensors, z, panel * lanes, start, steps, like)


@helper
def _add_looked_up(
    plan: Record, tensors: Record, z: Pointer, unit: int, start: int, steps: int, like: Real
) -> None:  # fmt: skip
    """∂gates of each class += the z̄ of its steps, for the units of one panel; padded steps add 0."""
    size, lanes = plan.hidden, plan.lanes
    classes = pointer(tensors.classes, unit)
    table = offset(pointer(tensors.gates_gradient, like), unit)
    count = size - unit
    for step in range(steps):
        for row in range(plan.batch):
            place = at(classes, row * plan.time + start + step) * 4 * size
            values = load_rows(zeros(z, 4), z, (step * plan.batch + row) * plan.width, lanes)
            for gate in range(4):
                line = place + gate * size
                store_first(table, line, count, load_first(table, line, count) + values[gate])


@helper
def finish(
    plan: Record, layout: Record, tensors: Record, worker: int, workers: int, like: Real
) -> None:  # fmt: skip
    """Copy ∂W out of the order of the panels."""
    size, lanes = plan.hidden, plan.lanes
    scratch, out = pointer(tensors.scratch, like), pointer(tensors.weight_gradient, like)
    for panel in range(worker, plan.panels, workers):
        weight = offset(scratch, layout.weight + panel * plan.width * plan.columns)
        for gate in range(4):
            for lane in range(min(lanes, size - panel * lanes)):
                line = offset(weight, (gate * lanes + lane) * plan.columns)
                row = gate * size + panel * lanes + lane
                for k in range(0, size, lanes):
                    store_first(out, row * size + k, size - k, load(line, k))
