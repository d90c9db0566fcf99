"""The reads of a chunk, in blocks of the steps that read.

n⁰ = n,  nⁱ = LN(F (nⁱ⁻¹ ⊗ eⁱ))        one factor: LN(F q);  concatenated: LN(F [nⁱ⁻¹; eⁱ])
"""

from __future__ import annotations

from fastweights.kernels.compile import helper
from fastweights.kernels.lines import clear, scale
from fastweights.kernels.simd import at, offset, put, scalar
from fastweights.kernels.types import Pointer, Record
from fastweights.ops.delta_memory.cpu.attention import attend, decay_coefficients, score, weigh
from fastweights.ops.delta_memory.cpu.contract import contract
from fastweights.ops.delta_memory.cpu.frame import Frame, part, strided
from fastweights.ops.delta_memory.cpu.lines import (
    copy_lines,
    gather,
    list_reads,
    padded,
    scale_lines,
    scatter,
    transpose,
)
from fastweights.ops.delta_memory.cpu.norm import normalise
from fastweights.ops.delta_memory.cpu.unit import make_unit


@helper
def found_at(frame: Frame, block: int, read: int) -> Pointer:
    """Where what a read of a block found is saved."""
    plan, saved, chunk = frame.plan, frame.saved, frame.chunk
    place = (chunk * plan.blocks + block) * plan.reads + read
    return offset(saved, plan.found + place * plan.value_pad * plan.width)


@helper
def scale_at(frame: Frame, block: int, read: int) -> Pointer:
    """Where the 1/σ of a read of a block are saved."""
    plan, saved, chunk = frame.plan, frame.saved, frame.chunk
    place = (chunk * plan.blocks + block) * plan.reads + read
    return offset(saved, plan.scale + place * plan.width)


@helper
def open_block(frame: Frame, read_steps: Pointer, many: int) -> int:
    """Set the last step that each lane sees, and the coefficients; returns how many steps the block sees."""
    plan, work = frame.plan, frame.work
    columns = padded(plan, many)
    depth = int(at(read_steps, many - 1)) + 1
    for j in range(columns):
        last = scalar(at(read_steps, 0), -1)
        if j < many:
            last = at(read_steps, j)
        put(work, plan.instants + j, last)
    decay_coefficients(frame, depth, columns)
    return depth


@helper
def early_depth(plan: Record, read_steps: Pointer, many: int) -> int:
    """How many steps the first unit of lanes sees."""
    return int(at(read_steps, min(many, plan.unit) - 1)) + 1


@helper
def load_query(frame: Frame, block: int, read: int, read_steps: Pointer, many: int) -> Pointer:
    """Bring the query factors of a read into lines; returns the outer one."""
    plan, work = frame.plan, frame.work
    width, columns = plan.width, padded(plan, many)
    start = offset(work, plan.query_outer_lines)
    size = plan.outer + plan.head
    if size:
        if read == 0:
            steps = offset(work, plan.query_outer_steps)
            chain = part(frame, frame.tensors.chain, size)
            gather(plan, chain, size, size, read_steps, many, steps, plan.chain_pad, 0)
            transpose(steps, plan.chain_pad, start, width, columns, plan.chain_pad)
        else:
            start = found_at(frame, block, read - 1)
    tail = plan.inner - plan.head
    query = strided(frame, frame.tensors.query, plan.query_row, plan.query_step)
    steps, lines = offset(work, plan.query_inner_steps), offset(work, plan.query_inner_lines)
    gather(
        plan, offset(query, read * tail), plan.query_step, tail, read_steps, many, steps,
        plan.inner_pad, plan.head,
    )  # fmt: skip
    if plan.unit_keys:
        for j in range(many):
            row = offset(steps, j * plan.inner_pad)
            make_unit(row, plan.inner_pad, frame.unit_eps, frame.query_scale)
    elif plan.scales:
        scale(steps, frame.query_scale, many * plan.inner_pad)
    transpose(steps, plan.inner_pad, lines, width, columns, plan.inner_pad)
    if plan.head:
        copy_lines(start, width, lines, width, plan.head, columns)
    return start


@helper
def read_chunk(frame: Frame) -> None:
    """Read at the steps that ask for it, and save what is found."""
    plan, work, many = frame.plan, frame.work, list_reads(frame)
    retrieved = part(frame, frame.tensors.retrieved, plan.value)
    width, value = plan.width, plan.value_pad
    result, inner = offset(work, plan.result_lines), offset(work, plan.query_inner_lines)
    for b in range(0, many, width):
        block, lanes = b // width, min(width, many - b)
        columns = padded(plan, lanes)
        read_steps = offset(work, plan.read_steps + b)
        depth = open_block(frame, read_steps, lanes)
        early, rows = padded(plan, early_depth(plan, read_steps, lanes)), padded(plan, depth)
        for read in range(plan.reads):
            outer = load_query(frame, block, read, read_steps, lanes)
            if frame.occupied:
                contract(plan, frame.memory, outer, inner, width, result, lanes)
                scale_lines(result, width, value, columns, offset(work, plan.start))
            else:
                clear(result, value * width)
            score(frame, outer, inner, width, early, rows, columns)
            weigh(frame, 0, early, depth, columns, 1)
            attend(frame, early, depth, columns)
            found = result
            if plan.keeps:
                found = found_at(frame, block, read)
            if plan.norm:
                clear(offset(found, plan.value * width), (value - plan.value) * width)
                deviation = scale_at(frame, block, read)
                normalise(result, width, plan.value, columns, frame.eps, found, deviation)
            elif plan.keeps:
                copy_lines(result, width, found, width, value, columns)
            if read == plan.reads - 1:
                steps = offset(work, plan.result_steps)
                transpose(found, width, steps, value, value, columns)
                scatter(steps, value, read_steps, lanes, retrieved, plan.value, plan.value)
