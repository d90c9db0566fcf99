"""The fused backward pass: in segments of time, last first, each in two parts.

Down the segment, rows of the batch by themselves (z: a gate before its nonlinearity, ¯: the gradient by):

    h̄(t) = ∂h(t) + Wᵀ z̄(t+1)                       c̄(t) = c̄(t) + h̄ o (1 − tanh² c)
    z̄_o = h̄ tanh(c) o (1 − o)                      z̄_i = c̄ g i (1 − i)
    z̄_f = c̄ c(t-1) f (1 − f)                       z̄_g = c̄ i (1 − g²)        c̄(t-1) = c̄ f

Then, for all rows at once while they are in the cache, ∂W += Σ z̄(t) h(t-1)ᵀ: some panels for each worker, so that the
order of the sum does not depend on how many there are.
"""

from __future__ import annotations

import numba

from fastweights.kernels.access import load_first, store_first
from fastweights.kernels.compile import helper, kernel
from fastweights.kernels.elementary import tanh
from fastweights.kernels.lines import clear
from fastweights.kernels.mode import arithmetic_mode, use_mode
from fastweights.kernels.simd import fma, load, offset, one, pointer, store
from fastweights.kernels.types import Pointer, Real, Record
from fastweights.ops.lstm.cpu.layout import (
    length_of,
    read_addresses,
    read_backward_scratch,
    read_plan,
    share,
)
from fastweights.ops.lstm.cpu.product import ROWS, add_row, add_tile, pack_transposed
from fastweights.ops.lstm.cpu.reduce import add_weight, begin, copy_previous, finish


@helper
def _gates(
    plan: Record, tensors: Record, row: int, t: int, dh: Pointer, dc: Pointer, z: Pointer,
    stride: int, like: Real,
) -> None:  # fmt: skip
    """z̄ of one row and step, by panels `stride` scalars apart; dc becomes c̄(t-1)."""
    size, lanes, width = plan.hidden, plan.lanes, plan.width
    saved = pointer(tensors.saved, like)
    kept = offset(saved, t * plan.gate_step + 4 * row * plan.units)
    before = offset(saved, plan.cells + t * plan.cell_step + row * plan.units)
    after = offset(before, plan.cell_step)
    place = (row * plan.time + t) * size
    last = t == length_of(tensors, row, plan.time) - 1
    ones = one(dh)
    for panel in range(plan.panels):
        unit = panel * lanes
        count = size - unit
        h_bar, c_bar = load(dh, unit), load(dc, unit)
        if tensors.outputs_gradient != 0:
            more = pointer(tensors.outputs_gradient, like)
            h_bar = h_bar + load_first(more, place + unit, count)
        if last and tensors.last_hidden_gradient != 0:
            more = pointer(tensors.last_hidden_gradient, like)
            h_bar = h_bar + load_first(more, row * size + unit, count)
        if last and tensors.last_cell_gradient != 0:
            more = pointer(tensors.last_cell_gradient, like)
            c_bar = c_bar + load_first(more, row * size + unit, count)
        here = panel * width
        i, f = load(kept, here), load(kept, here + lanes)
        g, o = load(kept, here + 2 * lanes), load(kept, here + 3 * lanes)
        bent = tanh(load(after, unit))
        c_bar = fma(h_bar * o, ones - bent * bent, c_bar)
        store(dc, unit, c_bar * f)
        there = panel * stride
        z_i = c_bar * g * i * (ones - i)
        z_f = c_bar * load(before, unit) * f * (ones - f)
        z_g = c_bar * i * (ones - g * g)
        z_o = h_bar * bent * o * (ones - o)
        store(z, there, z_i)
        store(z, there + lanes, z_f)
        store(z, there + 2 * lanes, z_g)
        store(z, there + 3 * lanes, z_o)
        if not plan.looked_up:
            out = pointer(tensors.gates_gradient, like)
            store_first(out, 4 * place + unit, count, z_i)
            store_first(out, 4 * place + unit + size, count, z_f)
            store_first(out, 4 * place + unit + 2 * size, count, z_g)
            store_first(out, 4 * place + unit + 3 * size, count, z_o)


@helper
def _no_gates(
    plan: Record, tensors: Record, row: int, t: int, z: Pointer, stride: int, like: Real
) -> None:  # fmt: skip
    """z̄ = 0 of a padded step."""
    size = plan.hidden
    for panel in range(plan.panels):
        clear(offset(z, panel * stride), plan.width)
    if not plan.looked_up:
        zero = load(z, 0)
        out = offset(pointer(tensors.gates_gradient, like), 4 * (row * plan.time + t) * size)
        for unit in range(0, 4 * size, plan.lanes):
            store_first(out, unit, 4 * size - unit, zero)


@helper
def _through_weight(
    plan: Record, layout: Record, scratch: Pointer, z: Pointer, stride: int, dh: Pointer, rows: int
) -> None:  # fmt: skip
    """dh = Wᵀ z̄ for some rows, z by panels `stride` scalars apart; each block of W serves all rows while it is near."""
    width = plan.width
    clear(dh, rows * plan.columns)
    for column in range(0, plan.columns, width):
        packed = offset(scratch, layout.packed + column * 4 * plan.units)
        for panel in range(plan.panels):
            weight = offset(packed, panel * width * width)
            row = 0
            while row < rows:
                gates = offset(z, panel * stride + row * width)
                sums = offset(dh, row * plan.columns + column)
                if row + ROWS <= rows:
                    add_tile(gates, width, 1, width, weight, sums, plan.columns)
                    row += ROWS
                else:
                    add_row(gates, 1, width, weight, sums)
                    row += 1


@helper
def _prepare(
    plan_at: int, layout_at: int, addresses_at: int, worker: int, workers: int, like: Real
) -> None:  # fmt: skip
    """Pack Wᵀ and clear the sums: a share of each."""
    plan, layout = read_plan(plan_at), read_backward_scratch(layout_at)
    tensors = read_addresses(addresses_at)
    scratch = pointer(tensors.scratch, like)
    weight = pointer(tensors.recurrent_weight, like)
    for panel in range(worker, plan.panels, workers):
        for column in range(0, plan.columns, plan.width):
            packed = offset(scratch, layout.packed + column * 4 * plan.units)
            packed = offset(packed, panel * plan.width * plan.width)
            pack_transposed(weight, plan.hidden, panel, column, packed)
    begin(plan, layout, tensors, worker, workers, like)
    first, last = share(plan.batch, worker, workers, ROWS)
    for row in range(first, last):
        clear(offset(scratch, layout.dh + row * plan.columns), plan.columns)
        clear(offset(scratch, layout.dc + row * plan.units), plan.units)


@helper
def _down(
    plan_at: int, layout_at: int, addresses_at: int, segment: int, worker: int, workers: int,
    like: Real,
) -> None:  # fmt: skip
    """The steps of a segment, last first, of a share of the batch rows."""
    plan, layout = read_plan(plan_at), read_backward_scratch(layout_at)
    tensors = read_addresses(addresses_at)
    scratch = pointer(tensors.scratch, like)
    stride = layout.rows * plan.width
    start = segment * layout.steps
    stop = min(start + layout.steps, plan.time)
    first, last = share(plan.batch, worker, workers, ROWS)
    for t in range(stop - 1, start - 1, -1):
        place = (t - start) * plan.batch
        for row in range(first, last):
            copy_previous(plan, layout, tensors, row, t, place + row, like)
            z = offset(scratch, layout.gates + (place + row) * plan.width)
            if t < length_of(tensors, row, plan.time):
                dh = offset(scratch, layout.dh + row * plan.columns)
                dc = offset(scratch, layout.dc + row * plan.units)
                _gates(plan, tensors, row, t, dh, dc, z, stride, like)
            else:
                _no_gates(plan, tensors, row, t, z, stride, like)
        if t > 0 or plan.has_hidden:
            z = offset(scratch, layout.gates + (place + first) * plan.width)
            dh = offset(scratch, layout.dh + first * plan.columns)
            _through_weight(plan, layout, scratch, z, stride, dh, last - first)


@helper
def _across(
    plan_at: int, layout_at: int, addresses_at: int, segment: int, worker: int, workers: int,
    like: Real,
) -> None:  # fmt: skip
    """The segment's share of ∂W and, where gates are looked up, of ∂gates: some panels for each worker."""
    plan, layout = read_plan(plan_at), read_backward_scratch(layout_at)
    tensors = read_addresses(addresses_at)
    add_weight(plan, layout, tensors, segment, worker, workers, like)


@helper
def _conclude(
    plan_at: int, layout_at: int, addresses_at: int, worker: int, workers: int, like: Real
) -> None:  # fmt: skip
    """∂W, ∂h(0) and ∂c(0) into their tensors."""
    plan, layout = read_plan(plan_at), read_backward_scratch(layout_at)
    tensors = read_addresses(addresses_at)
    scratch = pointer(tensors.scratch, like)
    size = plan.hidden
    finish(plan, layout, tensors, worker, workers, like)
    first, last = share(plan.batch, worker, workers, ROWS)
    for row in range(first, last):
        empty = length_of(tensors, row, plan.time) == 0
        for unit in range(0, size, plan.lanes):
            place = row * size + unit
            h_bar = load(scratch, layout.dh + row * plan.columns + unit)
            c_bar = load(scratch, layout.dc + row * plan.units + unit)
            if empty and tensors.last_hidden_gradient != 0:
                more = pointer(tensors.last_hidden_gradient, like)
                h_bar = h_bar + load_first(more, place, size - unit)
            if empty and tensors.last_cell_gradient != 0:
                more = pointer(tensors.last_cell_gradient, like)
                c_bar = c_bar + load_first(more, place, size - unit)
            if tensors.hidden_gradient != 0:
                store_first(pointer(tensors.hidden_gradient, like), place, size - unit, h_bar)
            if tensors.cell_gradient != 0:
                store_first(pointer(tensors.cell_gradient, like), place, size - unit, c_bar)


@helper
def _segments(plan_at: int, layout_at: int) -> int:
    """The number of segments of time."""
    steps = read_backward_scratch(layout_at).steps
    return (read_plan(plan_at).time + steps - 1) // steps


@kernel
def backward(plan_at: int, layout_at: int, addresses_at: int, workers: int, like: Real) -> None:
    """Run the backward on one thread."""
    _prepare(plan_at, layout_at, addresses_at, 0, workers, like)
    for segment in range(_segments(plan_at, layout_at) - 1, -1, -1):
        _down(plan_at, layout_at, addresses_at, segment, 0, workers, like)
        _across(plan_at, layout_at, addresses_at, segment, 0, workers, like)
    _conclude(plan_at, layout_at, addresses_at, 0, workers, like)


@kernel(parallel=True)
def backward_parallel(
    plan_at: int, layout_at: int, addresses_at: int, workers: int, like: Real
) -> None:  # fmt: skip
    """Run the backward on `workers` threads."""
    mode = arithmetic_mode()
    for worker in numba.prange(workers):
        use_mode(mode)
        _prepare(plan_at, layout_at, addresses_at, worker, workers, like)
    for segment in range(_segments(plan_at, layout_at) - 1, -1, -1):
        for worker in numba.prange(workers):
            use_mode(mode)
            _down(plan_at, layout_at, addresses_at, segment, worker, workers, like)
        for worker in numba.prange(workers):
            use_mode(mode)
            _across(plan_at, layout_at, addresses_at, segment, worker, workers, like)
    for worker in numba.prange(workers):
        use_mode(mode)
        _conclude(plan_at, layout_at, addresses_at, worker, workers, like)
