"""The gradients of a chunk's reads, in the blocks of the forward, the last read of a chain first."""

from __future__ import annotations

from fastweights.kernels.compile import helper
from fastweights.kernels.lines import scale as scale_row
from fastweights.kernels.simd import at, offset, put
from fastweights.kernels.types import Pointer
from fastweights.ops.delta_memory.cpu.attention import attend_backward, score
from fastweights.ops.delta_memory.cpu.frame import BackwardFrame, part, strided
from fastweights.ops.delta_memory.cpu.lines import (
    column_dots,
    copy_lines,
    copy_row,
    gather,
    list_reads,
    padded,
    scatter,
    transpose,
)
from fastweights.ops.delta_memory.cpu.norm import normalise_backward
from fastweights.ops.delta_memory.cpu.read import (
    early_depth,
    found_at,
    load_query,
    open_block,
    scale_at,
)
from fastweights.ops.delta_memory.cpu.unit import make_unit_backward


@helper
def read_backward(frame: BackwardFrame) -> None:
    """Run the reads of a chunk backwards."""
    plan, layout, work, many = frame.plan, frame.layout, frame.work, list_reads(frame)
    received = strided(
        frame, frame.tensors.retrieved_gradient, layout.received_row, layout.received_step
    )
    width, value = plan.width, plan.value_pad
    gradient, steps = offset(work, layout.gradient_lines), offset(work, layout.gradient_steps)
    inner = offset(work, plan.query_inner_lines)
    outer_steps = offset(work, plan.query_outer_steps)
    inner_steps = offset(work, plan.query_inner_steps)
    flow = offset(work, plan.result_steps)
    for b in range(0, many, width):
        block, lanes = b // width, min(width, many - b)
        columns = padded(plan, lanes)
        read_steps = offset(work, plan.read_steps + b)
        depth = open_block(frame, read_steps, lanes)
        early, rows = padded(plan, early_depth(plan, read_steps, lanes)), padded(plan, depth)
        gather(plan, received, layout.received_step, plan.value, read_steps, lanes, steps, value, 0)
        transpose(steps, value, gradient, width, columns, value)
        for read in range(plan.reads - 1, -1, -1):
            if plan.norm or plan.clamp:
                found = found_at(frame, block, read)
                if plan.norm:
                    scale = scale_at(frame, block, read)
                    normalise_backward(
                        gradient, width, plan.value, columns, frame.eps, found, scale, flow
                    )
                else:
                    column_dots(gradient, found, width, width, plan.value, columns, flow)
                for j in range(lanes):
                    t = layout.flow + int(at(read_steps, j))
                    put(work, t, at(work, t) + at(flow, j))
            if plan.norm or read < plan.reads - 1:
                transpose(gradient, width, steps, value, value, columns)
            outer = load_query(frame, block, read, read_steps, lanes)
            if plan.outer and read > 0:
                transpose(outer, width, outer_steps, plan.outer_pad, plan.outer_pad, columns)
            if plan.head:
                transpose(inner, width, inner_steps, plan.inner_pad, plan.inner_pad, columns)
            score(frame, outer, inner, width, early, rows, columns)
            attend_backward(
                frame, outer, inner, width, outer_steps, inner_steps, lanes, depth, early, rows,
            )  # fmt: skip
            _pass_on(frame, read, read_steps, lanes)


@helper
def _pass_on(frame: BackwardFrame, read: int, read_steps: Pointer, many: int) -> None:
    """Write out the gradient of e, and hand that of n to the read before, or write it out."""
    plan, layout, work = frame.plan, frame.layout, frame.work
    width, columns = plan.width, padded(plan, many)
    inner, outer = (
        offset(work, layout.query_inner_gradient),
        offset(work, layout.query_outer_gradient),
    )
    steps = offset(work, plan.query_inner_steps)
    transpose(inner, width, steps, plan.inner_pad, plan.inner_pad, columns)
    tail = plan.inner - plan.head
    if plan.unit_keys:
        _unit_backward(frame, steps, read_steps, many)
    elif plan.scales:
        scale_row(steps, frame.query_scale, many * plan.inner_pad)
    query_gradient = part(frame, frame.tensors.query_gradient, plan.reads * tail)
    scatter(
        offset(steps, plan.head), plan.inner_pad, read_steps, many, offset(query_gradient, read * tail),
        plan.reads * tail, tail,
    )  # fmt: skip
    size = plan.outer + plan.head
    if size == 0:
        return
    chain = outer
    if plan.head:
        chain = inner
    if read > 0:
        copy_lines(chain, width, offset(work, layout.gradient_lines), width, size, columns)
        return
    steps = offset(work, plan.query_outer_steps)
    transpose(chain, width, steps, plan.chain_pad, plan.chain_pad, columns)
    chain_gradient = part(frame, frame.tensors.chain_gradient, size)
    scatter(steps, plan.chain_pad, read_steps, many, chain_gradient, size, size)


@helper
def _unit_backward(
    frame: BackwardFrame, steps: Pointer, read_steps: Pointer, many: int
) -> None:  # fmt: skip
    """From the gradients of queries of norm 1, by step, to those of the queries as given."""
    plan = frame.plan
    room = offset(frame.work, plan.query_inner_lines)
    query = strided(frame, frame.tensors.query, plan.query_row, plan.query_step)
    for j in range(many):
        t = int(at(read_steps, j))
        copy_row(offset(query, t * plan.query_step), room, plan.inner, plan.inner_pad)
        row = offset(steps, j * plan.inner_pad)
        make_unit_backward(room, row, plan.inner_pad, frame.unit_eps, frame.query_scale)
