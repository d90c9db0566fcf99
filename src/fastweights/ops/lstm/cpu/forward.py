"""The fused forward pass: rows of the batch step by step, four gates of a few hidden units at a time.

    i, f, g, o = gates(t) + W h(t-1)        c(t) = σ(f) c(t-1) + σ(i) tanh(g)        h(t) = σ(o) tanh(c(t))

A tile of sums is ROWS batch rows by one panel, so that all gates of a unit are at hand when its sum is complete. All
tiles of a panel take a block of W in turn, while it is in the nearest cache: W is read once a step, however wide it is.
"""

from __future__ import annotations

import numba

from fastweights.kernels.access import load_first, prefetch, store_first
from fastweights.kernels.blocks import zeros
from fastweights.kernels.compile import helper, kernel
from fastweights.kernels.elementary import sigmoid, tanh
from fastweights.kernels.lines import clear
from fastweights.kernels.mode import arithmetic_mode, use_mode
from fastweights.kernels.simd import fma, load, offset, pointer, store
from fastweights.kernels.types import Pointer, Real, Record
from fastweights.ops.lstm.cpu.layout import (
    gates_row,
    length_of,
    read_addresses,
    read_forward_scratch,
    read_plan,
    share,
)
from fastweights.ops.lstm.cpu.product import ROWS, add_row, add_tile, pack


@helper
def _start(plan: Record, tensors: Record, row: int, like: Real) -> None:
    """c(0) into the saved cells, h(0) and c(0) into the results, which are all there is of a row without steps."""
    size, lanes = plan.hidden, plan.lanes
    cells = offset(pointer(tensors.saved, like), plan.cells + row * plan.units)
    last_hidden = offset(pointer(tensors.last_hidden, like), row * size)
    last_cell = offset(pointer(tensors.last_cell, like), row * size)
    zero = zeros(cells, 1)[0]
    for unit in range(0, size, lanes):
        h, c = zero, zero
        if plan.has_hidden:
            h = load_first(pointer(tensors.hidden, like), row * size + unit, size - unit)
        if tensors.cell != 0:
            c = load_first(pointer(tensors.cell, like), row * size + unit, size - unit)
        store(cells, unit, c)
        store_first(last_hidden, unit, size - unit, h)
        store_first(last_cell, unit, size - unit, c)


@helper
def _finish_panel(
    plan: Record, tensors: Record, row: int, t: int, panel: int, sums: Pointer, like: Real
) -> None:  # fmt: skip
    """The units of one panel from their sums W h(t-1): gates, c(t) and h(t); all 0 at a padded step."""
    size, lanes = plan.hidden, plan.lanes
    unit = panel * lanes
    count = size - unit
    outputs = offset(pointer(tensors.outputs, like), (row * plan.time + t) * size + unit)
    length = length_of(tensors, row, plan.time)
    saved = pointer(tensors.saved, like)
    kept = offset(saved, t * plan.gate_step + 4 * (row * plan.units + unit))
    cells = offset(saved, plan.cells + t * plan.cell_step + row * plan.units + unit)
    if t >= length:
        zero = zeros(sums, 1)[0]
        clear(kept, plan.width)
        store(cells, plan.cell_step, zero)
        store_first(outputs, 0, count, zero)
        return
    gates = offset(gates_row(plan, tensors, row, t, like), unit)
    # Units that fill up the panel have weights of 0, which times an infinite h are NaN and spread in the backward.
    i = sigmoid(load_first(gates, 0, count) + load_first(sums, 0, count))
    f = sigmoid(load_first(gates, size, count) + load_first(sums, lanes, count))
    g = tanh(load_first(gates, 2 * size, count) + load_first(sums, 2 * lanes, count))
    o = sigmoid(load_first(gates, 3 * size, count) + load_first(sums, 3 * lanes, count))
    c = fma(f, load(cells, 0), i * g)
    h = o * tanh(c)
    store(kept, 0, i)
    store(kept, lanes, f)
    store(kept, 2 * lanes, g)
    store(kept, 3 * lanes, o)
    store(cells, plan.cell_step, c)
    store_first(outputs, 0, count, h)
    if t == length - 1:
        store_first(pointer(tensors.last_hidden, like), row * size + unit, count, h)
        store_first(pointer(tensors.last_cell, like), row * size + unit, count, c)


@helper
def _through_weight(
    h: Pointer, stride: int, size: int, packed: Pointer, tiles: Pointer, width: int, rows: int
) -> None:  # fmt: skip
    """tiles[r] += W h[r] for one panel of W and some rows of h, `stride` scalars apart."""
    for k in range(0, size, width):
        weight, count = offset(packed, k * width), min(width, size - k)
        row = 0
        while row < rows:
            past, sums = offset(h, row * stride + k), offset(tiles, row * width)
            if row + ROWS <= rows:
                add_tile(past, stride, 1, count, weight, sums, width)
                row += ROWS
            else:
                add_row(past, 1, count, weight, sums)
                row += 1


@helper
def _prepare(
    plan_at: int, layout_at: int, addresses_at: int, worker: int, workers: int, like: Real
) -> None:  # fmt: skip
    """Every workers-th panel of W, in the order that the products read it."""
    plan, layout = read_plan(plan_at), read_forward_scratch(layout_at)
    tensors = read_addresses(addresses_at)
    scratch = pointer(tensors.scratch, like)
    weight = pointer(tensors.recurrent_weight, like)
    spare = offset(scratch, layout.spares + worker * plan.lanes)
    clear(spare, plan.lanes)
    for panel in range(worker, plan.panels, workers):
        packed = offset(scratch, layout.packed + panel * plan.hidden * plan.width)
        pack(weight, plan.hidden, panel, packed, spare)


@helper
def _run_rows(
    plan_at: int, layout_at: int, addresses_at: int, worker: int, workers: int, like: Real
) -> None:  # fmt: skip
    """All steps of a share of the batch rows; W is packed."""
    plan, layout = read_plan(plan_at), read_forward_scratch(layout_at)
    tensors = read_addresses(addresses_at)
    size, time, width, lanes = plan.hidden, plan.time, plan.width, plan.lanes
    scratch = pointer(tensors.scratch, like)
    first, last = share(plan.batch, worker, workers, ROWS)
    tiles = offset(scratch, layout.tiles + first * width)
    for row in range(first, last):
        _start(plan, tensors, row, like)
    for t in range(time):
        x, stride = pointer(tensors.outputs, like), time * size
        start = t - 1
        if t == 0:
            x, stride, start = pointer(tensors.hidden, like), size, 0
        for panel in range(plan.panels):
            packed = offset(scratch, layout.packed + panel * size * width)
            for row in range(first, last):
                gates = gates_row(plan, tensors, row, t, like)
                for gate in range(4):
                    prefetch(gates, gate * size + panel * lanes)
            clear(tiles, width * (last - first))
            if t > 0 or plan.has_hidden:
                h = offset(x, first * stride + start * size)
                _through_weight(h, stride, size, packed, tiles, width, last - first)
            for row in range(first, last):
                _finish_panel(
                    plan, tensors, row, t, panel, offset(tiles, (row - first) * width), like
                )


@kernel
def forward(plan_at: int, layout_at: int, addresses_at: int, workers: int, like: Real) -> None:
    """Run the forward on one thread."""
    _prepare(plan_at, layout_at, addresses_at, 0, workers, like)
    _run_rows(plan_at, layout_at, addresses_at, 0, workers, like)


@kernel(parallel=True)
def forward_parallel(
    plan_at: int, layout_at: int, addresses_at: int, workers: int, like: Real
) -> None:  # fmt: skip
    """Run the forward on `workers` threads."""
    mode = arithmetic_mode()
    for worker in numba.prange(workers):
        use_mode(mode)
        _prepare(plan_at, layout_at, addresses_at, worker, workers, like)
    for worker in numba.prange(workers):
        use_mode(mode)
        _run_rows(plan_at, layout_at, addresses_at, worker, workers, like)
