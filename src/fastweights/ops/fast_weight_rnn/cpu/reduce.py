"""The gradients that all batch rows share, summed in an order that does not depend on the number of workers."""

from __future__ import annotations

from fastweights.kernels.blocks import zeros
from fastweights.kernels.compile import helper
from fastweights.kernels.simd import load, offset, pointer, put, scalar, total
from fastweights.kernels.types import Pointer, Real, Record
from fastweights.ops.fast_weight_rnn.cpu.layout import read_addresses, read_layout, read_plan
from fastweights.ops.fast_weight_rnn.cpu.matrix import (
    TILE,
    add_small_weight_gradient,
    add_weight_gradient,
    strips,
)


@helper
def _weight_gradient(
    plan: Record, layout: Record, tensors: Record, worker: int, workers: int, like: Real
) -> None:  # fmt: skip
    """Every workers-th strip of ∂W, by segments of the batch and of time that stay in the cache for all strips."""
    size, time = plan.hidden, plan.time
    first = 1 - plan.has_hidden  # h(0) is zero
    work = offset(pointer(tensors.scratch, like), layout.workers + worker * layout.worker_stride)
    totals, panel = work, offset(work, layout.strip)
    dz = offset(pointer(tensors.scratch, like), layout.dz)
    history = offset(pointer(tensors.saved, like), plan.history)
    out = pointer(tensors.weight_gradient, like)
    for strip in range(worker, strips(size), workers):
        for k in range(strip * TILE * size, min((strip + 1) * TILE, size) * size):
            put(out, k, scalar(like, 0))
    groups = max(1, layout.segment // time)
    for start in range(0, plan.blocks, groups):
        x = offset(dz, start * layout.block_stride)
        y = offset(history, start * plan.saved_stride)
        count = min(groups, plan.blocks - start)
        for begin in range(first, time, layout.segment):
            end = min(begin + layout.segment, time)
            for strip in range(worker, strips(size), workers):
                if size >= TILE:
                    add_weight_gradient(
                        x, y, begin, end, count, layout.block_stride, plan.saved_stride, out, size, strip,
                        totals, panel,
                    )  # fmt: skip
                else:
                    add_small_weight_gradient(
                        x, y, begin, end, count, layout.block_stride, plan.saved_stride, out, size
                    )


@helper
def reduce(
    plan_at: int, layout_at: int, addresses_at: int, worker: int, workers: int, like: Real
) -> None:  # fmt: skip
    """The gradients that all row blocks share, in an order that does not depend on the workers.

    ∂W = Σ dz(t) h(t-1)ᵀ, some rows for each worker; the first adds up those of gains, biases, λ and η too.
    """
    plan = read_plan(plan_at)
    layout = read_layout(layout_at)
    tensors = read_addresses(addresses_at)
    scratch = pointer(tensors.scratch, like)
    _weight_gradient(plan, layout, tensors, worker, workers, like)
    if worker > 0:
        return
    gains = offset(scratch, layout.gains)
    state = plan.hidden * plan.lanes
    _sum_lines(plan, layout, gains, tensors.gain_gradient, plan.hidden, like)
    _sum_lines(plan, layout, offset(gains, state), tensors.bias_gradient, plan.hidden, like)
    first = offset(gains, 2 * state)
    _sum_lines(plan, layout, first, tensors.preliminary_gain_gradient, plan.hidden, like)
    first = offset(gains, 3 * state)
    _sum_lines(plan, layout, first, tensors.preliminary_bias_gradient, plan.hidden, like)
    scalars = offset(scratch, layout.scalars)
    _sum_lines(plan, layout, scalars, tensors.decay_gradient, 1, like)
    _sum_lines(plan, layout, offset(scalars, plan.lanes), tensors.rate_gradient, 1, like)


@helper
def _sum_lines(
    plan: Record, layout: Record, lines: Pointer, out: int, count: int, like: Real
) -> None:  # fmt: skip
    """out[k] = line k, summed over row blocks in order, then over lanes; zeros where `out` is 0."""
    if out != 0:
        for k in range(count):
            line = zeros(lines, 1)[0]
            for block in range(plan.blocks):
                line = line + load(lines, block * layout.block_stride + k * plan.lanes)
            put(pointer(out, like), k, total(line))
